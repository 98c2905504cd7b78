import { type PveClient, path } from "../../proxmox/client.ts";
import { TaskError } from "../../proxmox/errors.ts";

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
