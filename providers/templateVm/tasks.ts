import type { PveClient } from "../../proxmox/client.ts";
import { TaskError } from "../../proxmox/errors.ts";
import { listTasks, logLines } from "../../proxmox/taskList.ts";

/** The last task of a VM, if it failed, with the end of its log. */
export async function lastFailure(client: PveClient, node: string, vmId: number): Promise<TaskError | undefined> {
  const [last] = await listTasks(client, node, { vmid: vmId, source: "archive", limit: 20 });
  if (!last?.status || last.status === "OK" || last.status.startsWith("WARNINGS")) return undefined;
  return new TaskError(last.upid, last.status, (await logLines(client, last.upid, 0)).slice(-5));
}
