import { type PveClient, path } from "./client.ts";

/** An option of a running VM that takes effect when PVE starts it next. */
export interface PendingOption {
  key: string;
  /** What it runs with. */
  value?: unknown;
  /** What it gets; missing if the option is to be deleted. */
  pending?: unknown;
}

/**
 * What PVE itself notes as waiting for the next start by PVE: options of the VM (`qm pending`), and of cloud-init those that
 * `/cloudinit` lists (`ci*`, `sshkeys`, `nameserver`, `searchdomain`). PVE does not list a changed `ipconfigN`, although the
 * guest gets it at its next start only.
 */
export async function pendingOptions(client: PveClient, node: string, vmId: number): Promise<PendingOption[]> {
  type Listed = PendingOption & { delete?: unknown };
  const options = await client.get<Listed[]>(path`/nodes/${node}/qemu/${vmId}/pending`);
  const cloudInit = await client.get<Listed[]>(path`/nodes/${node}/qemu/${vmId}/cloudinit`);
  return [...options, ...cloudInit].filter((one) => one.pending !== undefined || one.delete);
}
