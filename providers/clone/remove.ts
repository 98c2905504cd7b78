import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { destroyGuest, isMissing, power, readStatus } from "../../proxmox/guests.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../progress.ts";
import type { CloneInputs } from "./inputs.ts";
import type { Found } from "./owner.ts";

/** Stops and deletes the clone's VM with its disks; one that is gone meanwhile is fine. */
export async function removeClone(
  client: PveClient,
  { vmId, name }: CloneInputs,
  { node, config }: Found,
  report: Report,
  pauseMs: number,
): Promise<void> {
  // Before it is stopped for nothing.
  if (Number(config.protection) === 1) {
    throw new ProxmoxError("protected", `VM ${vmId} is protected; take that away: qm set ${vmId} --protection 0`);
  }
  const attempt = async () => {
    try {
      if ((await readStatus(client, node, vmId)).status === "running") {
        report(`stopping ${name}`);
        await waitForTask(client, await power(client, node, vmId, "stop"), { pauseMs });
      }
      report(`deleting ${name}`);
      await waitForTask(client, await destroyGuest(client, node, vmId), { pauseMs });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  };
  await withRetry(attempt, { when: isTransient, pauseMs });
}
