import type { PveClient } from "../../proxmox/client.ts";

export interface VmIdBlock {
  /** The first of them. */
  first: number;
  count: number;
}

/** VMIDs for a new stack. */
export interface FreeVmIds {
  template: number;
  clones: VmIdBlock;
  /** The range that the cluster gives VMIDs from (Datacenter > Options > Next Free VMID Range), if it was set. */
  range?: { lower: number; upper: number };
}

/**
 * A free VMID for a template at a round number (9000, 9100, …) and a free block for clones at the next round one, both inside
 * the cluster's range. Guests that the login cannot see are found as well.
 *
 * @param clones how many
 * @throws SetupError `none` if there is no room for so many
 */
export function findFreeVmIds(_client: PveClient, _clones: number): Promise<FreeVmIds> {
  throw new Error("not there yet");
}

/** Those of some VMIDs that are taken, also by guests that the login cannot see. */
export function takenVmIds(_client: PveClient, _vmIds: readonly number[]): Promise<number[]> {
  throw new Error("not there yet");
}
