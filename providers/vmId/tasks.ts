import { type PveClient, path } from "../../proxmox/client.ts";
import { TaskError } from "../../proxmox/errors.ts";

interface TaskEntry {
  upid: string;
  type: string;
  /** How it ended; absent while it runs. */
  status?: string;
}

const tasksOf = (client: PveClient, node: string, vmId: number, source: "active" | "archive") =>
  client.get<TaskEntry[]>(path`/nodes/${node}/tasks`, { vmid: vmId, source, limit: 20 });

/** The task that works on a VM now. PVE's list of active tasks also has some that have just ended. */
export async function runningTask(client: PveClient, node: string, vmId: number): Promise<TaskEntry | undefined> {
  return (await tasksOf(client, node, vmId, "active")).find(({ status }) => status === undefined);
}

/** The last task of a VM, if it failed, with the end of its log. */
export async function lastFailure(client: PveClient, node: string, vmId: number): Promise<TaskError | undefined> {
  const [last] = await tasksOf(client, node, vmId, "archive");
  if (!last?.status || last.status === "OK" || last.status.startsWith("WARNINGS")) return undefined;
  const lines = await client.get<{ t: string }[]>(path`/nodes/${node}/tasks/${last.upid}/log`, { limit: 500 });
  return new TaskError(last.upid, last.status, lines.map(({ t }) => t).slice(-5));
}
