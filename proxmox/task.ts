import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "./client.ts";
import { TaskError } from "./errors.ts";
import { isTransient, withRetry } from "./retry.ts";
import { nextLook } from "./taskDurations.ts";
import { logLines, runningTasks } from "./taskList.ts";

/** The node that a task runs on stands in its id (`UPID:node:…`). */
export const nodeOf = (upid: string): string => upid.split(":")[1] ?? "";

/** So does its type (`UPID:node:pid:pstart:starttime:type:…`). */
export const typeOf = (upid: string): string => upid.split(":")[5] ?? "";

/** Longest pauses between looks at a task, in milliseconds: whose log is shown, and any other. */
const SHOWN_MS = 1000;
const LONGEST_MS = 5000;

interface Status {
  status: "running" | "stopped";
  exitstatus?: string;
}

export interface WaitOptions {
  /** Told each new line of the task's log while it runs. */
  onLog?: ((line: string) => void) | undefined;
  /** Told when the node does not answer and is asked again. */
  onSilence?: ((error: unknown) => void) | undefined;
}

/** Waits for something, but not for ever. */
async function atMost(ms: number, something: Promise<void>): Promise<void> {
  const time = new AbortController();
  await Promise.race([something, pause(ms, undefined, { signal: time.signal }).catch(() => undefined)]);
  time.abort();
}

/**
 * Waits for the end of a task. The task goes on while the node does not answer (a restart of its API, a flaky network), so
 * that is waited for too, for about a minute.
 *
 * @returns the warnings of a task that ended with WARNINGS
 * @throws TaskError with the last lines of the log, unless it ended with OK or WARNINGS
 */
export async function waitForTask(
  client: PveClient,
  upid: string,
  { onLog, onSilence }: WaitOptions = {},
): Promise<string[]> {
  const readStatus = () => client.getOnce<Status>(path`/nodes/${nodeOf(upid)}/tasks/${upid}/status`);
  const { pauseMs, taskDurations } = client;
  const retry = {
    when: isTransient,
    retries: 9,
    pauseMs,
    maxPauseMs: 20 * pauseMs,
    ...(onSilence && { onRetry: onSilence }),
  };
  // A full clone, whose log is shown, is no measure for a linked one.
  const kind = `${nodeOf(upid)} ${typeOf(upid)}${onLog ? " shown" : ""}`;
  const longest = onLog ? SHOWN_MS : LONGEST_MS;
  const begun = performance.now();
  const age = () => performance.now() - begun;
  const first = taskDurations.afterFirst(kind);
  if (first && taskDurations.expected(kind) === undefined) await atMost(longest, first);
  let read = 0;
  for (let looks = 0; ; looks++) {
    const expected = taskDurations.expected(kind);
    // Of a kind that is not known, some are over before they are asked for.
    if (looks > 0 || expected !== undefined) await pause(nextLook(age(), expected, longest));
    const { status, exitstatus = "it ended without a result" } = await withRetry(readStatus, retry);
    if (onLog) {
      const lines = await logLines(client, upid, read);
      read += lines.length;
      lines.forEach(onLog);
    }
    if (status !== "stopped") continue;
    // What fails ends sooner or later than what does its work.
    const warned = exitstatus.startsWith("WARNINGS");
    if (exitstatus === "OK" || warned) taskDurations.add(kind, age());
    taskDurations.firstEnded(kind);
    if (exitstatus === "OK") return [];
    const log = await logLines(client, upid, 0).catch(() => []);
    if (!warned) throw new TaskError(upid, exitstatus, log.slice(-5));
    return log.filter((line) => /^WARN/i.test(line));
  }
}

/**
 * Waits for what PVE still does with a VM: it goes on with what a killed run, or a request whose answer got lost, has asked
 * for.
 *
 * @param onTask told of each task that is waited for
 * @returns whether there was anything to wait for; how it ended is seen on the VM
 */
export async function waitForTasksOf(
  client: PveClient,
  node: string,
  vmId: number,
  onTask: (type: string) => void = () => undefined,
): Promise<boolean> {
  const tasks = await runningTasks(client, node, { vmid: vmId });
  for (const { upid, type } of tasks) {
    onTask(type);
    await waitForTask(client, upid).catch((error) => {
      if (!(error instanceof TaskError)) throw error;
    });
  }
  return tasks.length > 0;
}

export interface TaskRequest {
  node: string;
  vmId: number;
  /** Sends the request; gives the task's UPID, or null where PVE has done it already. */
  send(): Promise<string | null>;
  /** Whether the VM is as the task is to make it. */
  isDone(): Promise<boolean>;
}

export interface RunOptions extends WaitOptions {
  /** Told before each further try. */
  onRetry?: ((error: unknown, attempt: number, attempts: number) => void) | undefined;
}

/**
 * Has PVE do something with a VM, and waits until it is done. What may pass is tried again; before it is, PVE is asked what
 * has come of it, as an answer that got lost says nothing of what was done.
 *
 * @returns the warnings of the task
 */
export async function runTask(
  client: PveClient,
  { node, vmId, send, isDone }: TaskRequest,
  { onRetry, ...options }: RunOptions = {},
): Promise<string[]> {
  let tries = 0;
  const attempt = async () => {
    if (tries++ > 0) {
      await waitForTasksOf(client, node, vmId);
      if (await isDone()) return [];
    }
    const upid = await send();
    return upid ? waitForTask(client, upid, options) : [];
  };
  return withRetry(attempt, { when: isTransient, pauseMs: client.pauseMs, ...(onRetry && { onRetry }) });
}
