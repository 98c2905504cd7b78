import { type PveClient, path } from "./client.ts";

interface PendingOption {
  key: string;
  pending?: unknown;
  delete?: unknown;
}

/**
 * Options of a running VM that PVE itself notes as waiting for the next start by PVE: those of the VM (`qm pending`), and of
 * cloud-init those that `/cloudinit` lists (`ci*`, `sshkeys`, `nameserver`, `searchdomain`). PVE never lists `ipconfigN`
 * there, although the guest gets a new one at its next start only.
 */
export async function pendingOptions(client: PveClient, node: string, vmId: number): Promise<string[]> {
  const options = await client.get<PendingOption[]>(path`/nodes/${node}/qemu/${vmId}/pending`);
  const cloudInit = await client.get<PendingOption[]>(path`/nodes/${node}/qemu/${vmId}/cloudinit`);
  const waiting = [...options, ...cloudInit].filter((one) => one.pending !== undefined || one.delete);
  return [...new Set(waiting.map(({ key }) => key))].sort();
}
