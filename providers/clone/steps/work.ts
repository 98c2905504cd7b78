import type { GuestConfig } from "../../../proxmox/guests.ts";
import type { Messages } from "../../dynamic/progress.ts";
import type { Holder } from "../holders.ts";
import type { CloneInputs } from "../inputs.ts";
import type { CloneState } from "../state.ts";

/**
 * A clone that is being worked on. Each step leaves in `state` what it has reached, and nothing before it has: a failure then
 * loses nothing, and claims nothing.
 */
export interface Work {
  readonly inputs: CloneInputs;
  readonly messages: Messages;
  readonly state: CloneState;
  /** The VM was made just now: it has what its template has, and does not run. */
  isNew: boolean;
  /** The VM's config as a step has last read it; undefined while none has. */
  config?: GuestConfig | undefined;
  /** UUID of a VM that was never configured: its guest was never started, and can still get an identity of its own. */
  freshUuid?: string | undefined;
  /** The VM that has its disks, if it was made anew and they are not all back. */
  holder?: Holder | undefined;
  /** PVE has started it in this run, so it has yet to become ready. */
  started: boolean;
}

/** The VM that a step works on, once there is one. */
export function vmOf({ inputs: { vmId }, state: { node } }: Work): { node: string; vmId: number } {
  if (node === undefined) throw new Error(`VM ${vmId} is on no node yet`);
  return { node, vmId };
}

/** What a clone was made from, once it is made. */
export function madeOf({ inputs: { vmId }, state: { made } }: Work) {
  if (made === undefined) throw new Error(`VM ${vmId} is not made yet`);
  return made;
}
