import type { Report } from "../providers/dynamic/progress.ts";
import { type PveClient, path } from "./client.ts";
import type { GuestConfig } from "./guests.ts";
import { isBusy, withRetry } from "./retry.ts";
import { waitForTask } from "./task.ts";

const UNITS: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes of a drive as its config value says: `local-lvm:vm-9000-disk-0,size=20G`. */
export function sizeOf(drive: unknown): number | undefined {
  const [, number, unit = ""] = /(?:^|,)size=([\d.]+)([KMGT]?)(?:,|$)/.exec(String(drive ?? "")) ?? [];
  return number === undefined ? undefined : Number(number) * (UNITS[unit] ?? 1);
}

export interface Growth {
  node: string;
  vmId: number;
  /** For example `scsi0`. */
  drive: string;
  sizeGiB: number;
}

/**
 * Grows the boot disk to its size where that is still to be done: if the import went well and the resize after it did not,
 * the plugin does not know that anything is missing. A disk never shrinks.
 */
export async function growDisk(
  client: PveClient,
  config: GuestConfig,
  { node, vmId, drive, sizeGiB }: Growth,
  report: Report,
): Promise<void> {
  const size = sizeOf(config[drive]);
  if (size === undefined || size >= sizeGiB * 2 ** 30) return;
  report(`growing ${drive} of VM ${vmId} to ${sizeGiB} GiB`);
  const resize = async () =>
    waitForTask(
      client,
      await client.put<string>(path`/nodes/${node}/qemu/${vmId}/resize`, { disk: drive, size: `${sizeGiB}G` }),
    );
  await withRetry(resize, { when: isBusy, pauseMs: 1000 });
}
