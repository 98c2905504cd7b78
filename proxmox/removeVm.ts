import { type PveClient, path } from "./client.ts";
import { isMissing, readConfig } from "./guests.ts";
import type { VmAt } from "./power.ts";
import { type RunOptions, runTask } from "./task.ts";

/**
 * Deletes a stopped VM with its volumes and its traces in backup jobs, replication and HA.
 *
 * @returns false: there is no such VM on that node (any more); it may have been deleted, or have moved to another node
 */
export async function removeVm(
  client: PveClient,
  vm: VmAt,
  /** Also the volumes of its VMID that its config does not name. Default: they stay. */
  { unreferencedDisks = false, ...options }: RunOptions & { unreferencedDisks?: boolean } = {},
): Promise<boolean> {
  const { node, vmId } = vm;
  const send = () =>
    client.delete<string>(path`/nodes/${node}/qemu/${vmId}`, {
      purge: true,
      "destroy-unreferenced-disks": unreferencedDisks,
    });
  let missing = false;
  const isDone = async () => (missing = (await readConfig(client, node, vmId)) === undefined);
  try {
    await runTask(client, { ...vm, send, isDone }, options);
    return !missing;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
