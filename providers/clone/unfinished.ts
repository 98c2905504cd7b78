import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { type GuestConfig, readConfig } from "../../proxmox/guests.ts";
import type { Report } from "../progress.ts";

interface RunningTask {
  type: string;
  upid: string;
}

/**
 * The config of the VM that stands on a clone's VMID, once no clone task writes to it any more; undefined if there is none.
 *
 * @throws ProxmoxError if its clone task died: only root can remove what that left
 */
export async function waitForClone(
  client: PveClient,
  node: string,
  vmId: number,
  report: Report,
): Promise<GuestConfig | undefined> {
  for (let wait = 100; ; wait = Math.min(wait * 1.6, 2000)) {
    const config = await readConfig(client, node, vmId);
    if (config?.lock !== "clone") return config;
    const tasks = await client.get<RunningTask[]>(path`/nodes/${node}/tasks`, {
      source: "active",
      typefilter: "qmclone",
    });
    if (tasks.length === 0 && (await readConfig(client, node, vmId))?.lock === "clone") {
      throw new ProxmoxError(
        "half-made",
        `VM ${vmId} is what a clone task that died has left (lock: clone). Only root can remove it; on ${node} run: qm unlock ${vmId} && qm destroy ${vmId} --purge`,
      );
    }
    report(`VM ${vmId} is being cloned by a task of an earlier run: waiting for it`);
    await pause(wait);
  }
}
