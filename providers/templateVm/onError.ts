import { setTimeout as pause } from "node:timers/promises";
import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { saysBusy, saysTransient } from "../../proxmox/retry.ts";
import { waitForTasksOf } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";
import { failure } from "../failure.ts";
import { freeVmId, type Slot } from "./freeVmId.ts";
import { lastFailure } from "./tasks.ts";

const RETRIES = 3;

export interface Messages {
  /** Progress. */
  report: Report;
  /** What a person needs to know when it is over. */
  error: Report;
}

/** The plugin's error in one line, without its own decoration. */
export const plainText = (text: string) =>
  text
    .replace(/\s*\n\s*/g, " ")
    .replace(/^.*1 error occurred:\s*\*\s*/, "")
    .trim();

/**
 * What happens when the plugin could not do its work: it never tries a failed task again, and it says neither what the task's
 * log holds nor what to do.
 *
 * @param failures the plugin's errors, the last one first
 * @param prepare what has to be done before another try
 * @returns whether it is worth another try
 */
async function failed(
  client: PveClient,
  { node, vmId }: Slot,
  { stage, failures, prepare }: { stage: string; failures: readonly string[]; prepare: () => Promise<unknown> },
  messages: Messages,
): Promise<boolean> {
  const answer = plainText(failures[0] ?? "");
  // The text is the plugin's; the task's log is only with PVE.
  const task = await lastFailure(client, node, vmId).catch(() => undefined);
  const known = task && answer.includes(task.exitStatus) ? task : undefined;
  if (saysTransient(answer) && failures.length <= RETRIES) {
    const what = saysBusy(answer) ? "PVE is busy" : "PVE did not answer";
    messages.report(`${what} (${known?.exitStatus ?? answer}); try ${failures.length + 1} of ${RETRIES + 1}`);
    await pause(2 * client.pauseMs * 2 ** (failures.length - 1) * (1 + Math.random()));
    try {
      await prepare();
      return true;
    } catch (error) {
      // The engine says nothing of an error that a hook throws here.
      messages.error(error instanceof Error ? error.message : String(error));
      return false;
    }
  }
  messages.error(failure(known ?? new ProxmoxError("plugin", answer), { stage, node, vmId }).message);
  return false;
}

/** The plugin could not create a VM: what is left of it is removed, or taken over by the next try if it is finished. */
export const createFailed = (client: PveClient, slot: Slot, failures: readonly string[], messages: Messages) =>
  failed(
    client,
    slot,
    { stage: "create the VM", failures, prepare: () => freeVmId(client, slot, messages.report) },
    messages,
  );

/** The plugin could not change a VM, which may be half changed by now; the next try finishes it. */
export const updateFailed = (client: PveClient, slot: Slot, failures: readonly string[], messages: Messages) =>
  failed(
    client,
    slot,
    { stage: "change the VM", failures, prepare: () => waitForTasksOf(client, slot.node, slot.vmId) },
    messages,
  );
