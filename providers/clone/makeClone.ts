import type { PveClient } from "../../proxmox/client.ts";
import { answerOf } from "../../proxmox/errors.ts";
import { cloneGuest } from "../../proxmox/guests.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";
import type { CloneInputs, Place } from "./inputs.ts";
import { notesOf } from "./made.ts";
import { assertOurs, type Found } from "./owner.ts";
import { atRest } from "./unfinished.ts";

/** `transferred 1.0 GiB of 8.0 GiB (12.50%)` of a full clone's log. */
const PROGRESS = /\((\d+)\.\d+%\)/;

/**
 * Makes the VM. What a killed run left is taken up where it was left; so is what our own request made if its answer got
 * lost.
 *
 * @returns the VM, if there was one already
 */
export function makeClone(
  client: PveClient,
  inputs: CloneInputs,
  { node, sourceVmId, sourceNode = node }: Place,
  report: Report,
  pauseMs: number,
): Promise<Found | undefined> {
  const { vmId, name, full, datastore, pool } = inputs;
  const attempt = async (): Promise<Found | undefined> => {
    try {
      report(`cloning VM ${sourceVmId} to ${vmId}`);
      const upid = await cloneGuest(client, sourceNode, sourceVmId, {
        newid: vmId,
        name,
        description: notesOf(inputs, undefined),
        full,
        ...(full && { storage: datastore }),
        ...(sourceNode !== node && { target: node }),
        ...(pool && { pool }),
      });
      // A linked clone takes a second or two, most of it under the datastore's lock: no need to ask for its log.
      await waitForTask(client, upid, { pauseMs, onSilence, ...(full ? { onLog: show } : { contended: true }) });
      return undefined;
    } catch (error) {
      if (!/already exists|File exists/i.test(answerOf(error)) && !isTransient(error)) throw error;
      const found = await atRest(client, { ...inputs, node }, report, pauseMs);
      if (!found) throw error;
      assertOurs(found, inputs);
      return found;
    }
  };
  const onSilence = (error: unknown) => report(`waiting for an answer of ${sourceNode} (${answerOf(error)})`);
  const show = (line: string) => {
    const percent = PROGRESS.exec(line)?.[1];
    if (percent) report(`cloning VM ${sourceVmId} to ${vmId}: ${percent}%`);
  };
  return withRetry(attempt, {
    when: (error) => isTransient(error) || /already exists/i.test(answerOf(error)),
    pauseMs,
    onRetry: (error, number, attempts) => report(`clone failed (${answerOf(error)}); try ${number + 1} of ${attempts}`),
  });
}
