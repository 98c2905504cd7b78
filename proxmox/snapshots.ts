import { type PveClient, path } from "./client.ts";
import type { VmAt } from "./power.ts";
import { type RunOptions, runTask } from "./task.ts";

/** A snapshot of a VM. */
export interface Snapshot {
  /** `current` is no snapshot, but the VM as it is. */
  name: string;
  description?: string;
  /** When it was taken, in seconds since 1970. */
  snaptime?: number;
  /** The one before it; of `current` the last one. */
  parent?: string;
  /** It is being taken or deleted, or that was broken off. */
  snapstate?: string;
}

/** The snapshots of a VM, `current` among them. */
export const listSnapshots = (client: PveClient, { node, vmId }: VmAt): Promise<Snapshot[]> =>
  client.get(path`/nodes/${node}/qemu/${vmId}/snapshot`);

/** Whether snapshots can be taken of all disks of a VM, TPM state and EFI disk among them. */
export async function canSnapshot(client: PveClient, { node, vmId }: VmAt): Promise<boolean> {
  const found = await client.get<{ hasFeature?: number | boolean }>(path`/nodes/${node}/qemu/${vmId}/feature`, {
    feature: "snapshot",
  });
  return Boolean(found.hasFeature);
}

const isThere = async (client: PveClient, vm: VmAt, name: string): Promise<Snapshot | undefined> =>
  (await listSnapshots(client, vm)).find((one) => one.name === name);

/** Takes a snapshot of the disks, without the memory of the guest (PVE: qm snapshot). Takes VM.Snapshot. */
export async function takeSnapshot(
  client: PveClient,
  vm: VmAt,
  { name, description }: { name: string; description: string },
  options: RunOptions = {},
): Promise<string[]> {
  const send = () =>
    client.post<string>(path`/nodes/${vm.node}/qemu/${vm.vmId}/snapshot`, { snapname: name, description });
  const isDone = async () => {
    const found = await isThere(client, vm, name);
    return found !== undefined && found.snapstate === undefined;
  };
  return runTask(client, { ...vm, send, isDone }, options);
}

/** Removes a snapshot; the VM stays as it is (PVE: qm delsnapshot). Takes VM.Snapshot. */
export async function removeSnapshot(client: PveClient, vm: VmAt, name: string): Promise<string[]> {
  const send = () => client.delete<string>(path`/nodes/${vm.node}/qemu/${vm.vmId}/snapshot/${name}`);
  const isDone = async () => (await isThere(client, vm, name)) === undefined;
  return runTask(client, { ...vm, send, isDone });
}
