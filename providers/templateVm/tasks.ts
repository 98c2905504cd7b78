import { type PveClient, path } from "../../proxmox/client.ts";
import { TaskError } from "../../proxmox/errors.ts";
import { runningTasks, waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";

interface EndedTask {
  upid: string;
  /** How it ended. */
  status?: string;
}

/** The last task of a VM, if it failed, with the end of its log. */
export async function lastFailure(client: PveClient, node: string, vmId: number): Promise<TaskError | undefined> {
  const [last] = await client.get<EndedTask[]>(path`/nodes/${node}/tasks`, {
    vmid: vmId,
    source: "archive",
    limit: 20,
  });
  if (!last?.status || last.status === "OK" || last.status.startsWith("WARNINGS")) return undefined;
  const lines = await client.get<{ t: string }[]>(path`/nodes/${node}/tasks/${last.upid}/log`, { limit: 500 });
  return new TaskError(last.upid, last.status, lines.map(({ t }) => t).slice(-5));
}

/**
 * Waits for what PVE still does with a VM: it goes on with what a killed run has asked for.
 *
 * @returns whether there was anything to wait for; how it ended is seen on the VM
 */
export async function waitForTasksOf(client: PveClient, node: string, vmId: number, report: Report): Promise<boolean> {
  const tasks = await runningTasks(client, node, { vmid: vmId });
  for (const { upid, type } of tasks) {
    report(`waiting for PVE, which is still busy with VM ${vmId} (${type})`);
    await waitForTask(client, upid).catch((error) => {
      if (!(error instanceof TaskError)) throw error;
    });
  }
  return tasks.length > 0;
}
