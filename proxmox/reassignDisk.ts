import { type PveClient, path } from "./client.ts";
import { readConfig } from "./guests.ts";
import type { VmAt } from "./power.ts";
import { isTransient, withRetry } from "./retry.ts";
import { waitForTask } from "./task.ts";

export interface Reassignment {
  drive: string;
  /** The VM that gets the disk; on the same node. */
  toVmId: number;
  toDrive: string;
}

/**
 * Gives a disk of a stopped VM to another VM of its node (PVE: move_disk with target-vmid; "Reassign Disk"). The volume stays
 * what it is, under a name of its new owner. What the VMs have decides whether it is done: PVE lists such a task under neither
 * VMID, and refuses a second one once the first is through.
 */
export async function reassignDisk(
  client: PveClient,
  { node, vmId }: VmAt,
  { drive, toVmId, toDrive }: Reassignment,
): Promise<void> {
  const isDone = async () => {
    const [from, to] = await Promise.all([readConfig(client, node, vmId), readConfig(client, node, toVmId)]);
    return from?.[drive] === undefined && to?.[toDrive] !== undefined;
  };
  const move = path`/nodes/${node}/qemu/${vmId}/move_disk`;
  let tries = 0;
  const attempt = async () => {
    if (tries++ > 0 && (await isDone())) return;
    try {
      const upid = await client.post<string>(move, { disk: drive, "target-vmid": toVmId, "target-disk": toDrive });
      await waitForTask(client, upid);
    } catch (error) {
      if (tries === 1 || isTransient(error) || !(await isDone())) throw error;
    }
  };
  await withRetry(attempt, { when: isTransient, pauseMs: client.pauseMs });
}
