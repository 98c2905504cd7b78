import type { PveClient } from "../../proxmox/client.ts";
import { answerOf, ProxmoxError, TaskError } from "../../proxmox/errors.ts";
import { isMissing, power, readStatus } from "../../proxmox/guests.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report, Says } from "../dynamic/progress.ts";
import { patience } from "./patience.ts";

interface Guest {
  node: string;
  vmId: number;
  name: string;
}

/** Starts a VM; one that runs already is fine. */
export async function start(
  client: PveClient,
  { node, vmId, name }: Guest,
  { wait }: { wait: boolean },
  says: Says,
  pauseMs: number,
): Promise<void> {
  says.report(`starting ${name}`);
  const attempt = async () => {
    try {
      const upid = await power(client, node, vmId, "start");
      if (!wait) return;
      const onSilence = (error: unknown) => says.report(`waiting for an answer of ${node} (${answerOf(error)})`);
      const warnings = await waitForTask(client, upid, { pauseMs, onSilence });
      for (const warning of warnings) says.warn(`${name} started with a warning: ${warning}`);
    } catch (error) {
      if (!/already running/i.test(answerOf(error))) throw error;
    }
  };
  await withRetry(attempt, {
    when: isTransient,
    pauseMs,
    onRetry: (error, number, attempts) =>
      says.report(`start failed (${answerOf(error)}); try ${number + 1} of ${attempts}`),
  });
}

/**
 * Has PVE shut the guest down and start it with its new options. False: the guest did not shut down in time.
 *
 * PVE's task ends when the guest is off; it is started by a service that sees this a moment later.
 */
export async function reboot(
  client: PveClient,
  { node, vmId, name }: Guest,
  seconds: number,
  says: Says,
  pauseMs: number,
): Promise<boolean> {
  says.report(`rebooting ${name}`);
  try {
    await waitForTask(client, await power(client, node, vmId, "reboot", { timeout: seconds }), { pauseMs });
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    says.warn(`${name} was not rebooted: ${answerOf(error)}`);
    return false;
  }
  const patient = patience(seconds, pauseMs / 4, 5 * pauseMs);
  const pause = patient.pauses();
  while ((await readStatus(client, node, vmId)).status !== "running") {
    if (patient.isOver()) throw new ProxmoxError("reboot", `PVE did not start ${name} again within ${seconds} s`);
    await pause();
  }
  return true;
}

/** Shuts a running VM down, and has PVE stop it when it does not react in time. One that is gone is fine. */
export async function shutDown(
  client: PveClient,
  { node, vmId, name }: Guest,
  seconds: number,
  report: Report,
  pauseMs: number,
): Promise<void> {
  const attempt = async () => {
    try {
      if ((await readStatus(client, node, vmId)).status !== "running") return;
      report(seconds > 0 ? `shutting ${name} down, for up to ${seconds} s` : `stopping ${name}`);
      const upid =
        seconds > 0
          ? await power(client, node, vmId, "shutdown", { timeout: seconds, forceStop: true })
          : await power(client, node, vmId, "stop");
      await waitForTask(client, upid, { pauseMs });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  };
  await withRetry(attempt, { when: isTransient, pauseMs });
}
