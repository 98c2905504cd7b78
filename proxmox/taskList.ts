import { type PveClient, path } from "./client.ts";

/** Lines of a log asked for at a time. */
const PAGE = 500;

/** The lines of a task's log from number `start` on. The task's node stands in its id (`UPID:node:…`). */
export async function logLines(client: PveClient, upid: string, start: number): Promise<string[]> {
  const node = upid.split(":")[1] ?? "";
  const lines: string[] = [];
  for (;;) {
    const page = await client.get<{ n: number; t: string }[]>(path`/nodes/${node}/tasks/${upid}/log`, {
      start: start + lines.length,
      limit: PAGE,
    });
    // PVE says "no content" in place of an empty log.
    lines.push(...page.map(({ t }) => t).filter((text) => text !== "no content"));
    if (page.length < PAGE) return lines;
  }
}

/** The first lines of a task's log. */
export async function firstLines(client: PveClient, upid: string, limit: number): Promise<string[]> {
  const node = upid.split(":")[1] ?? "";
  const lines = await client.get<{ t: string }[]>(path`/nodes/${node}/tasks/${upid}/log`, { start: 0, limit });
  return lines.map(({ t }) => t);
}

export interface RunningTask {
  upid: string;
  type: string;
  /** What the task is about: a VMID, or the file's name of a download. */
  id: string;
}

/** A task that has just ended is in the list of those that run until PVE archives it. */
const runs = ({ endtime }: { endtime?: number }): boolean => endtime === undefined;

/** Tasks of a type, or of a VM, that run on a node now: the login's own, and all with Sys.Audit. */
export async function runningTasks(
  client: PveClient,
  node: string,
  filter: { typefilter: string } | { vmid: number },
): Promise<RunningTask[]> {
  const tasks = await client.get<(RunningTask & { endtime?: number })[]>(path`/nodes/${node}/tasks`, {
    source: "active",
    ...filter,
  });
  return tasks.filter(runs);
}

/** UPIDs of all tasks that run on a node, as it says at the first asking. */
export async function runningUpids(client: PveClient, node: string): Promise<ReadonlySet<string>> {
  const tasks = await client.getOnce<ListedTask[]>(path`/nodes/${node}/tasks`, { source: "active", limit: 1000 });
  return new Set(tasks.filter(runs).map(({ upid }) => upid));
}

/** A task as the node's list has it. */
export interface ListedTask extends RunningTask {
  /** Who started it, and with which token. */
  user: string;
  tokenid?: string;
  /** Seconds since the epoch by the node's clock; `endtime` is missing while it runs. */
  starttime: number;
  endtime?: number;
  /** How it ended. */
  status?: string;
}

/** The latest tasks of a node, the newest first, running or not: the login's own, and all with Sys.Audit. */
export function listTasks(
  client: PveClient,
  node: string,
  filter: { typefilter?: string; vmid?: number; since?: number; limit?: number; source?: "all" | "active" | "archive" },
): Promise<ListedTask[]> {
  return client.get(path`/nodes/${node}/tasks`, { source: "all", limit: 500, ...filter });
}
