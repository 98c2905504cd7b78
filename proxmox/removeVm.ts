import { type PveClient, path } from "./client.ts";
import { isMissing, readConfig } from "./guests.ts";
import type { VmAt } from "./power.ts";
import { type RunOptions, runTask } from "./task.ts";

export interface RemoveOptions extends RunOptions {
  /** Also the volumes of its VMID that its config does not name. @default they stay */
  unreferencedDisks?: boolean;
  /** Told what PVE warns of: a volume that could not be deleted stays, and the VM goes all the same (`destroy_vm`). */
  onWarning?: (line: string) => void;
}

/**
 * Deletes a stopped VM with its volumes and its traces in backup jobs, replication and HA.
 *
 * @returns false: there is no such VM on that node (any more); it may have been deleted, or have moved to another node
 */
export async function removeVm(
  client: PveClient,
  vm: VmAt,
  { unreferencedDisks = false, onWarning, ...options }: RemoveOptions = {},
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
    const warnings = await runTask(client, { ...vm, send, isDone }, options);
    if (onWarning) warnings.forEach(onWarning);
    return !missing;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
