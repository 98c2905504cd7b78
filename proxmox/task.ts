import { type PveClient, path } from "./client.ts";
import { TaskError } from "./errors.ts";
import { isTransient, withRetry } from "./retry.ts";
import { Looks, timesOf } from "./taskTimes.ts";

/** The node that a task runs on stands in its id (`UPID:node:…`). */
const nodeOf = (upid: string): string => upid.split(":")[1] ?? "";

/** So does its type (`UPID:node:pid:pstart:starttime:type:…`). */
const typeOf = (upid: string): string => upid.split(":")[5] ?? "";

/** Longest pauses between looks at a task, in milliseconds: whose log is shown, and any other. */
const SHOWN_MS = 1000;
const LONGEST_MS = 5000;

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
  /** Tasks of this kind wait for one another, so that each takes the longer the more of them there are. Default: false. */
  contended?: boolean;
  /** Told each new line of the task's log while it runs. */
  onLog?: (line: string) => void;
  /** Told when the node does not answer and is asked again. */
  onSilence?: (error: unknown) => void;
  /** First pause of those that follow when the node does not answer, in milliseconds. Default: 500. */
  pauseMs?: number;
}

/**
 * Waits for the end of a task: looks when tasks of its type lately ended on that node; if that is not known, one of those
 * that are waited for is looked at often, and the others when it has ended (or after five seconds). The task goes on while the node does not answer (a restart of its API, a flaky
 * network), so that is waited for too, for about a minute.
 *
 * @returns the warnings of a task that ended with WARNINGS
 * @throws TaskError with the last lines of the log, unless it ended with OK or WARNINGS
 */
export async function waitForTask(
  client: PveClient,
  upid: string,
  { onLog, onSilence, pauseMs = 500, contended = false }: WaitOptions = {},
): Promise<string[]> {
  const readStatus = () => client.getOnce<Status>(path`/nodes/${nodeOf(upid)}/tasks/${upid}/status`);
  const patience = {
    when: isTransient,
    retries: 9,
    pauseMs,
    maxPauseMs: 20 * pauseMs,
    ...(onSilence && { onRetry: onSilence }),
  };
  // A full clone, whose log is shown, is no measure for a linked one, nor is a task that others do not wait for.
  const kind = [nodeOf(upid), typeOf(upid), onLog && "shown", contended && "contended"].filter(Boolean);
  const times = timesOf(client, kind.join(" "));
  const looks = new Looks(times, onLog ? SHOWN_MS : LONGEST_MS, contended);
  let read = 0;
  try {
    for (;;) {
      await looks.due();
      const { status, exitstatus = "it ended without a result" } = await withRetry(readStatus, patience);
      if (onLog) {
        const lines = await logLines(client, upid, read);
        read += lines.length;
        lines.forEach(onLog);
      }
      if (status === "stopped") {
        // What fails ends sooner or later than what does its work.
        const warned = exitstatus.startsWith("WARNINGS");
        if (exitstatus === "OK" || warned) looks.ended();
        looks.close();
        if (exitstatus === "OK") return [];
        const log = await logLines(client, upid, 0).catch(() => []);
        if (!warned) throw new TaskError(upid, exitstatus, log.slice(-5));
        return log.filter((line) => /^WARN/i.test(line));
      }
      looks.running();
    }
  } finally {
    looks.close();
  }
}
