import type { PveClient } from "../../proxmox/client.ts";
import { waitForTasksOf } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";
import { type Look, lookUp, type Place } from "../guest/lookUp.ts";

/**
 * What stands on a VMID when no task works on it any more: PVE goes on with what a killed run has asked for. A VM that is locked
 * (`busy`) all the same is what a task that died has left, or somebody has locked it.
 */
export async function atRest(client: PveClient, place: Place, report: Report): Promise<Look> {
  const { vmId } = place;
  for (;;) {
    const found = await lookUp(client, place);
    if (found.kind !== "vm") return found;
    const onTask = (type: string) => report(`waiting for PVE, which is still busy with VM ${vmId} (${type})`);
    if (await waitForTasksOf(client, found.node, vmId, onTask)) continue;
    return found.busy ? lookUp(client, place) : found;
  }
}
