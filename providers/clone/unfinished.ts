import { setTimeout as pause } from "node:timers/promises";
import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { locate } from "../../proxmox/guests.ts";
import { runningTasks } from "../../proxmox/task.ts";
import type { Report } from "../progress.ts";
import type { CloneInputs } from "./inputs.ts";
import type { Found } from "./owner.ts";

/**
 * The VM that stands on a clone's VMID, once no clone task writes to it any more; undefined if there is none.
 *
 * @throws ProxmoxError if its clone task died: only root can remove what that left
 */
export async function waitForClone(
  client: PveClient,
  { node, vmId }: Pick<CloneInputs, "node" | "vmId">,
  report: Report,
  pauseMs: number,
): Promise<Found | undefined> {
  // The tasks that may be making it: those that run when it is seen first. PVE names them by the source, not by this VM.
  let makers: string[] = [];
  for (let look = 0; ; look++) {
    const running = (await runningTasks(client, node, { typefilter: "qmclone" })).map(({ upid }) => upid);
    const found = await locate(client, node, vmId);
    if (found?.config.lock !== "clone") return found;
    // PVE writes the config before the task starts: one look may come between the two.
    makers = look < 2 ? running : makers.filter((upid) => running.includes(upid));
    if (look > 0 && makers.length === 0) {
      throw new ProxmoxError(
        "half-made",
        `VM ${vmId} is what a clone task that died has left (lock: clone). Only root can remove it; on ${found.node} run: qm unlock ${vmId} && qm destroy ${vmId} --purge`,
      );
    }
    report(`VM ${vmId} is being cloned by an earlier task: waiting for it`);
    await pause(pauseMs);
  }
}
