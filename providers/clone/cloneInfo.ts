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
  /** Why the clone is not what the config says. */
  error?: string;
}
