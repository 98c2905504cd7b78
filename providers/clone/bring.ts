import { randomUUID } from "node:crypto";
import type { PveClient } from "../../proxmox/client.ts";
import { growDisk } from "../../proxmox/growDisk.ts";
import { type GuestConfig, pendingOptions, readConfig, readStatus, writeConfig } from "../../proxmox/guests.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import type { Says } from "../dynamic/progress.ts";
import { type CloneInputs, SHUTDOWN_SECONDS } from "./inputs.ts";
import { needsConfig, options } from "./options.ts";
import { reboot, start } from "./power.ts";

export interface Power {
  running: boolean;
  /** It was started now, so it has yet to become ready. */
  started: boolean;
  pendingReboot: string[];
}

/** A VM that exists, with its config where that is known; without one it has just been made. */
export interface Target {
  node: string;
  config: GuestConfig | undefined;
}

async function configure(
  client: PveClient,
  inputs: CloneInputs,
  { node, config }: Target,
  says: Says,
  pauseMs: number,
) {
  const { vmId, name, diskGiB, bootDisk } = inputs;
  says.report(`configuring ${name}`);
  // PVE has given the clone a UUID; a new one of ours saves asking for it.
  const current = config ??
    (needsConfig(inputs) ? await readConfig(client, node, vmId) : undefined) ?? { smbios1: `uuid=${randomUUID()}` };
  await withRetry(() => writeConfig(client, node, vmId, options(inputs, current)), { when: isTransient, pauseMs });
  if (diskGiB !== undefined && bootDisk !== undefined) {
    await growDisk(client, current, { node, vmId, drive: bootDisk, sizeGiB: diskGiB }, says.report);
  }
}

/** A guest that runs already takes some options only at its next start by PVE. */
async function refresh(
  client: PveClient,
  inputs: CloneInputs,
  node: string,
  says: Says,
  pauseMs: number,
): Promise<Power> {
  const { vmId, name, rebootOnChange, shutdownSeconds } = inputs;
  // The guest learns its name by the SMBIOS serial, not from the drive.
  const pending = (await pendingOptions(client, node, vmId)).filter((key) => key !== "name");
  if (pending.length === 0) return { running: true, started: false, pendingReboot: [] };
  // Who lets guests be stopped at once when they are deleted does not mean those that stay.
  const seconds = shutdownSeconds || SHUTDOWN_SECONDS;
  if (rebootOnChange && (await reboot(client, { node, vmId, name }, seconds, says, pauseMs))) {
    return { running: true, started: true, pendingReboot: [] };
  }
  says.warn(
    `${name} runs with its old ${pending.join(", ")} until PVE starts it anew: set rebootOnChange: true, or \`qm reboot ${vmId}\` on ${node}, or Reboot in its web interface (a reboot from inside the guest is not enough)`,
  );
  return { running: true, started: false, pendingReboot: pending };
}

/** Brings a VM that exists to what the config says. Every step can be repeated. */
export async function bring(
  client: PveClient,
  inputs: CloneInputs,
  target: Target,
  says: Says,
  pauseMs: number,
): Promise<Power> {
  const { vmId, name } = inputs;
  const { node, config } = target;
  await configure(client, inputs, target, says, pauseMs);
  const running = config !== undefined && (await readStatus(client, node, vmId)).status === "running";
  if (running) return refresh(client, inputs, node, says, pauseMs);
  if (inputs.start) await start(client, { node, vmId, name }, { wait: inputs.waitFor !== "none" }, says, pauseMs);
  return { running: inputs.start, started: inputs.start, pendingReboot: [] };
}
