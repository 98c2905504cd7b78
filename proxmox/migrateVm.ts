import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "./client.ts";
import { ProxmoxError } from "./errors.ts";
import { readConfig, readStatus } from "./guests.ts";
import type { VmAt } from "./power.ts";
import { type RunOptions, runTask, typeOf } from "./task.ts";

/** How long the HA manager may take to begin and end a migration, in seconds. */
const HA_SECONDS = 600;

/** Moves a VM to another node, running or not, with the disks that are on local datastores. */
export async function migrateVm(client: PveClient, vm: VmAt, target: string, options: RunOptions = {}): Promise<void> {
  const { node, vmId } = vm;
  const isThere = async () => (await readConfig(client, target, vmId)) !== undefined;
  let upid = "";
  const send = async () => {
    const online = (await readStatus(client, node, vmId)).status === "running";
    upid = await client.post(path`/nodes/${node}/qemu/${vmId}/migrate`, { target, online, "with-local-disks": true });
    return upid;
  };
  await runTask(client, { ...vm, send, isDone: isThere }, options);
  if (!typeOf(upid).startsWith("ha")) return;
  const end = Date.now() + HA_SECONDS * 1000;
  for (let ms = client.pauseMs / 4; !(await isThere()); ms = Math.min(ms * 1.5, 5000)) {
    if (Date.now() >= end) {
      const text = `the HA manager was asked, but VM ${vmId} was not on ${target} within ${HA_SECONDS} s; see \`ha-manager status\` on a node`;
      throw new ProxmoxError("ha", text);
    }
    await pause(ms);
  }
}
