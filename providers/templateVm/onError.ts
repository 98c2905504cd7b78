import { setTimeout as pause } from "node:timers/promises";
import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { saysBusy } from "../../proxmox/retry.ts";
import type { Report } from "../dynamic/progress.ts";
import { failure } from "../failure.ts";
import { freeVmId, type Slot } from "./guard.ts";
import { lastFailure } from "./tasks.ts";

const RETRIES = 3;

export interface Says {
  /** Progress. */
  report: Report;
  /** What a person needs to know when it is over. */
  error: Report;
}

/** The plugin's error in one line, without its own decoration. */
export const plainText = (text: string) =>
  text
    .replace(/\s*\n\s*/g, " ")
    .replace(/^.*?1 error occurred:\s*\*\s*/, "")
    .trim();

/**
 * What happens when the plugin could not create a VM: it never tries a failed task again, and it says neither what the
 * task's log holds nor what to do.
 *
 * @param failures the plugin's errors, the last one first
 * @returns true: what was left of the VM is gone, and creating it is worth another try
 */
export async function createFailed(
  client: PveClient,
  slot: Slot,
  failures: readonly string[],
  says: Says,
  pauseMs = 1000,
): Promise<boolean> {
  const { node, vmId } = slot;
  const answer = plainText(failures[0] ?? "");
  // The text is the plugin's; the task's log is only with PVE.
  const task = await lastFailure(client, node, vmId).catch(() => undefined);
  const known = task && answer.includes(task.exitStatus) ? task : undefined;
  if (saysBusy(answer) && failures.length <= RETRIES) {
    says.report(`PVE is busy (${known?.exitStatus ?? answer}); try ${failures.length + 1} of ${RETRIES + 1}`);
    await pause(pauseMs * 2 ** (failures.length - 1) * (1 + Math.random()));
    await freeVmId(client, slot, says.report);
    return true;
  }
  const error = known ?? new ProxmoxError("create", answer);
  says.error(failure(error, { stage: "create the VM", node, vmId }).message);
  return false;
}
