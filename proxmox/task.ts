import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "./client.ts";
import { TaskError } from "./errors.ts";

/** The node that a task runs on stands in its id (`UPID:node:…`). */
const nodeOf = (upid: string): string => upid.split(":")[1] ?? "";

interface Status {
  status: "running" | "stopped";
  exitstatus?: string;
}

/** The lines of a task's log from number `start` on. */
async function logLines(client: PveClient, upid: string, start: number): Promise<string[]> {
  const lines = await client.get<{ n: number; t: string }[]>(path`/nodes/${nodeOf(upid)}/tasks/${upid}/log`, {
    start,
    limit: 500,
  });
  // PVE says "no content" in place of an empty log.
  return lines.map(({ t }) => t).filter((text) => text !== "no content");
}

export interface RunningTask {
  upid: string;
  type: string;
  /** What the task is about: a VMID, or the file's name of a download. */
  id: string;
}

/** Tasks of a type that run on a node now: the login's own, and all with Sys.Audit. */
export async function runningTasks(client: PveClient, node: string, type: string): Promise<RunningTask[]> {
  const tasks = await client.get<(RunningTask & { endtime?: number })[]>(path`/nodes/${node}/tasks`, {
    source: "active",
    typefilter: type,
  });
  // A task that has just ended is in the list until PVE archives it.
  return tasks.filter(({ endtime }) => endtime === undefined);
}

export interface WaitOptions {
  /** Told each new line of the task's log while it runs. */
  onLog?: (line: string) => void;
}

/**
 * Waits for the end of a task; asks often at first, then once a second.
 *
 * @throws TaskError with the last lines of the log, unless it ended with OK or WARNINGS
 */
export async function waitForTask(client: PveClient, upid: string, { onLog }: WaitOptions = {}): Promise<void> {
  let read = 0;
  for (let wait = 30; ; wait = Math.min(wait * 1.6, 1000)) {
    const { status, exitstatus = "" } = await client.get<Status>(path`/nodes/${nodeOf(upid)}/tasks/${upid}/status`);
    if (onLog) {
      const lines = await logLines(client, upid, read);
      read += lines.length;
      lines.forEach(onLog);
    }
    if (status === "stopped") {
      if (exitstatus === "OK" || exitstatus.startsWith("WARNINGS")) return;
      const log = await logLines(client, upid, 0).catch(() => []);
      throw new TaskError(upid, exitstatus, log.slice(-5));
    }
    await pause(wait);
  }
}
