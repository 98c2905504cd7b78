import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "./client.ts";
import { TaskError } from "./errors.ts";
import { isTransient, withRetry } from "./retry.ts";
import { nextLook } from "./taskDurations.ts";
import { logLines, runningTasks, runningUpids } from "./taskList.ts";
import { TaskWatch } from "./taskWatch.ts";

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

/** Kinds that are over sooner, in milliseconds, are each asked for: a list for all of them would come too late. */
const QUICK_MS = 100;

const watches = new WeakMap<PveClient, Map<string, TaskWatch>>();

/** What all who wait for tasks of a node share. */
function watchOf(client: PveClient, node: string): TaskWatch {
  const nodes = watches.get(client) ?? new Map<string, TaskWatch>();
  watches.set(client, nodes);
  const watch = nodes.get(node) ?? new TaskWatch(() => runningUpids(client, node));
  nodes.set(node, watch);
  return watch;
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
  const atMost = onLog ? SHOWN_MS : LONGEST_MS;
  const begun = performance.now();
  const age = () => performance.now() - begun;
  let read = 0;
  for (;;) {
    const expected = taskDurations.expected(kind) ?? 0;
    if (expected > 0 && expected < QUICK_MS) await pause(nextLook(age(), expected, atMost));
    else await watchOf(client, nodeOf(upid)).ended(upid, { begun, expected, atMost });
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
