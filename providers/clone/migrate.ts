import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { migrateGuest, readConfig, readStatus, writeConfig } from "../../proxmox/guests.ts";
import { isBusy, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";
import type { CloneInputs, Place } from "./inputs.ts";
import type { Found } from "./owner.ts";

/** PVE's percents of a disk that is copied: `scsi0: transferred 1.0 GiB of 8.0 GiB (12.50%) in 4s`. */
const PROGRESS = /\((\d+)\.\d+%\)/;

/** The other node may have the template's snippets under the names of its own replica. */
async function adoptSnippets(
  client: PveClient,
  vmId: number,
  { config }: Found,
  { node, sourceVmId, sourceNode }: Place,
): Promise<void> {
  if (config.cicustom === undefined || sourceNode !== undefined) return;
  const cicustom = (await readConfig(client, node, sourceVmId))?.cicustom;
  if (cicustom === undefined || cicustom === config.cicustom) return;
  await withRetry(() => writeConfig(client, node, vmId, { cicustom: String(cicustom) }), { when: isBusy });
}

/** Moves a clone to another node, running or not. */
export async function migrate(
  client: PveClient,
  { vmId, name, full }: CloneInputs,
  found: Found,
  place: Place,
  report: Report,
): Promise<void> {
  const { status } = await readStatus(client, found.node, vmId);
  report(`migrating ${name} from ${found.node} to ${place.node}`);
  const onLog = (line: string) => {
    const percent = PROGRESS.exec(line)?.[1];
    if (percent) report(`migrating ${name} to ${place.node}: ${percent}%`);
  };
  try {
    await withRetry(
      async () =>
        waitForTask(client, await migrateGuest(client, found.node, vmId, place.node, status === "running"), { onLog }),
      { when: isBusy },
    );
  } catch (error) {
    if (full || !(error instanceof Error)) throw error;
    const way = `A linked clone whose disks are on a datastore of node ${found.node} alone stays there: put the node back into the config, or give the clone another vmId to have a new one made on ${place.node}.`;
    throw new ProxmoxError("migration", `${error.message}\n  ${way}`, { cause: error });
  }
  await adoptSnippets(client, vmId, found, place);
}
