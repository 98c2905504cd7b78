import type { PveClient } from "../../proxmox/client.ts";
import { answerOf } from "../../proxmox/errors.ts";
import { pendingOptions, power, readStatus, writeConfig } from "../../proxmox/guests.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../progress.ts";
import { type CloneInputs, type CloneState, options } from "./inputs.ts";

export interface Says {
  report: Report;
  /** Stays on the screen. */
  warn: Report;
}

async function start(client: PveClient, { node, vmId, name }: CloneInputs, says: Says, pauseMs: number): Promise<void> {
  says.report(`starting ${name}`);
  const attempt = async () => {
    try {
      const warnings = await waitForTask(client, await power(client, node, vmId, "start"), { pauseMs });
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
 * Brings a VM that exists to what the config says. Every step can be repeated.
 *
 * @param existing the VM was there before and may be running
 */
export async function finish(
  client: PveClient,
  inputs: CloneInputs,
  { smbios, existing }: { smbios: string; existing: boolean },
  says: Says,
  pauseMs: number,
): Promise<CloneState> {
  const { node, vmId, name } = inputs;
  says.report(`configuring ${name}`);
  await withRetry(() => writeConfig(client, node, vmId, options(inputs, smbios)), { when: isTransient, pauseMs });
  const wasRunning = existing && (await readStatus(client, node, vmId)).status === "running";
  if (wasRunning) {
    const pending = await pendingOptions(client, node, vmId);
    if (pending.length > 0) {
      says.warn(
        `${name} runs with its old ${pending.join(", ")} until PVE starts it anew: \`qm reboot ${vmId}\` on ${node}, or Reboot in its web interface (a reboot from inside the guest is not enough)`,
      );
    }
  } else if (inputs.start) {
    await start(client, inputs, says, pauseMs);
  }
  const running = wasRunning || inputs.start;
  says.report(`${name}: ${running ? "running" : "stopped"}`);
  return { ...inputs, running };
}
