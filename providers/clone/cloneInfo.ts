import { migrated } from "../dynamic/states.ts";
import { type CloneState, VERSIONS } from "./state.ts";

/** What is known of a clone when a run has ended. */
export interface CloneInfo {
  name: string;
  vmId: number;
  node: string;
  /**
   * `ready`: everything that `waitFor` asks for is there; `running`: started, but not (yet) ready; `failed`: see `error`.
   */
  status: "ready" | "running" | "stopped" | "failed";
  /** Primary address without prefix; missing while it is not known. */
  address?: string;
  /** All addresses that the guest agent told, by interface, without loopback and container bridges. */
  addresses?: Record<string, string[]>;
  /** Options that a running guest gets at its next reboot by PVE. */
  pendingReboot?: string[];
  /** Why its login user may still have other SSH keys than those of the config, with `rotateKeys`. */
  oldKeys?: string;
  /** Why the clone is not what the config says. */
  error?: string;
}

/** What the engine's state says of a clone, and the key of the clone set that it belongs to. */
export function storedClone(outputs: Record<string, unknown>): { set: string; info: CloneInfo } {
  const {
    spec,
    node = "",
    status,
    address,
    addresses,
    pendingReboot,
    oldKeys,
    error,
  } = migrated(VERSIONS, outputs) as unknown as CloneState;
  const { vmId, name = `vm-${vmId}`, set = "" } = spec;
  const info: CloneInfo = {
    name,
    vmId,
    node,
    status,
    ...(address !== undefined && { address }),
    ...(addresses && { addresses }),
    ...(pendingReboot && { pendingReboot }),
    ...(oldKeys !== undefined && { oldKeys }),
    ...(error !== undefined && { error }),
  };
  return { set, info };
}
