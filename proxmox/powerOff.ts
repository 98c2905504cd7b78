import type { Report } from "../providers/dynamic/progress.ts";
import type { PveClient } from "./client.ts";
import { answerOf, TaskError } from "./errors.ts";
import { power, readStatus } from "./guests.ts";
import { isBusy, withRetry } from "./retry.ts";
import { waitForTask } from "./task.ts";

export interface Guest {
  node: string;
  vmId: number;
  /** How long a running VM may take to shut down before it is stopped, in seconds. */
  shutdownSeconds: number;
}

/** Shuts a running VM down, and stops it when it does not react in time. */
export async function powerOff(
  client: PveClient,
  { node, vmId, shutdownSeconds }: Guest,
  report: Report,
): Promise<void> {
  const isRunning = async () => (await readStatus(client, node, vmId)).status === "running";
  if (!(await isRunning())) return;
  report(`VM ${vmId} is running: shutting it down`);
  try {
    await waitForTask(client, await power(client, node, vmId, "shutdown", { timeout: shutdownSeconds }));
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    // It may have gone down by itself meanwhile.
    if (!(await isRunning())) return;
    report(`VM ${vmId} did not shut down (${answerOf(error)}): stopping it`);
    await withRetry(async () => waitForTask(client, await power(client, node, vmId, "stop")), { when: isBusy });
  }
}
