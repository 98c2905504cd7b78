import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "./client.ts";
import { TaskError } from "./errors.ts";
import { isTransient, withRetry } from "./retry.ts";

/** The node that a task runs on stands in its id (`UPID:node:…`). */
const nodeOf = (upid: string): string => upid.split(":")[1] ?? "";

interface Status {
  status: "running" | "stopped";
  exitstatus?: string;
}

/** Lines of a log asked for at a time. */
const PAGE = 500;

/** The lines of a task's log from number `start` on. */
async function logLines(client: PveClient, upid: string, start: number): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const page = await client.get<{ n: number; t: string }[]>(path`/nodes/${nodeOf(upid)}/tasks/${upid}/log`, {
      start: start + lines.length,
      limit: PAGE,
    });
    // PVE says "no content" in place of an empty log.
    lines.push(...page.map(({ t }) => t).filter((text) => text !== "no content"));
    if (page.length < PAGE) return lines;
  }
}

export interface RunningTask {
  upid: string;
  type: string;
  /** What the task is about: a VMID, or the file's name of a download. */
  id: string;
}

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
  // A task that has just ended is in the list until PVE archives it.
  return tasks.filter(({ endtime }) => endtime === undefined);
}

/** A task as the node's list has it. */
export interface ListedTask extends RunningTask {
  /** Who started it, and with which token. */
  user: string;
  tokenid?: string;
  /** Seconds since the epoch; missing while it runs. */
  endtime?: number;
  /** How it ended. */
  status?: string;
}

/** The latest tasks of a type that concern a VM, running or not: the login's own, and all with Sys.Audit. */
export function listTasks(client: PveClient, node: string, typefilter: string, vmid: number): Promise<ListedTask[]> {
  return client.get(path`/nodes/${node}/tasks`, { source: "all", typefilter, vmid, limit: 500 });
}

/** The whole log of a task. */
export const readLog = (client: PveClient, upid: string): Promise<string[]> => logLines(client, upid, 0);

export interface WaitOptions {
  /** Told each new line of the task's log while it runs. */
  onLog?: (line: string) => void;
  /** Told when the node does not answer and is asked again. */
  onSilence?: (error: unknown) => void;
  /** First pause of those that follow when the node does not answer, in milliseconds. Default: 500. */
  pauseMs?: number;
}

/**
 * Waits for the end of a task; asks often at first, then once a second. The task goes on while the node does not answer
 * (a restart of its API, a flaky network), so that is waited for too, for about a minute.
 *
 * @returns the warnings of a task that ended with WARNINGS
 * @throws TaskError with the last lines of the log, unless it ended with OK or WARNINGS
 */
export async function waitForTask(
  client: PveClient,
  upid: string,
  { onLog, onSilence, pauseMs = 500 }: WaitOptions = {},
): Promise<string[]> {
  const readStatus = () => client.getOnce<Status>(path`/nodes/${nodeOf(upid)}/tasks/${upid}/status`);
  const patience = {
    when: isTransient,
    retries: 9,
    pauseMs,
    maxPauseMs: 20 * pauseMs,
    ...(onSilence && { onRetry: onSilence }),
  };
  let read = 0;
  for (let wait = 30; ; wait = Math.min(wait * 2, 1000)) {
    const { status, exitstatus = "it ended without a result" } = await withRetry(readStatus, patience);
    if (onLog) {
      const lines = await logLines(client, upid, read);
      read += lines.length;
      lines.forEach(onLog);
    }
    if (status === "stopped") {
      if (exitstatus === "OK") return [];
      const log = await logLines(client, upid, 0).catch(() => []);
      if (!exitstatus.startsWith("WARNINGS")) throw new TaskError(upid, exitstatus, log.slice(-5));
      return log.filter((line) => /^WARN/i.test(line));
    }
    await pause(wait);
  }
}
