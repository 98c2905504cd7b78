import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { destroyGuest, isMissing } from "../../proxmox/guests.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";
import type { Found } from "./owner.ts";

/** A protected VM is not deleted; this is asked before it is stopped for nothing. */
export function assertUnprotected({ config }: Found, vmId: number): void {
  if (Number(config.protection) !== 1) return;
  throw new ProxmoxError("protected", `VM ${vmId} is protected; take that away: qm set ${vmId} --protection 0`);
}

/** Deletes the clone's stopped VM with its disks; one that is gone meanwhile is fine. */
export async function removeVm(
  client: PveClient,
  { node, vmId, name }: { node: string; vmId: number; name: string },
  report: Report,
  pauseMs: number,
): Promise<void> {
  const attempt = async () => {
    try {
      report(`deleting ${name}`);
      await waitForTask(client, await destroyGuest(client, node, vmId), { pauseMs });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  };
  await withRetry(attempt, { when: isTransient, pauseMs });
}
