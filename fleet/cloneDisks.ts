import { diskNames } from "../config/diskNames.ts";
import type { CloneSource } from "../config/fleet.ts";
import type { DiskOptions, Template } from "../config/template.ts";

/** A disk of a clone's own. */
export interface CloneDisk {
  /** For example `scsi1`. */
  drive: string;
  datastore: string;
  /** 0: it is not there (any more). */
  sizeGiB: number;
  /** What is not PVE's default, as PVE writes it: `discard=on,ssd=1`. */
  options: string;
}

/** The options of a drive that the config speaks of, with PVE's defaults, in the order in which PVE writes them. */
const DEFAULTS: Record<string, string> = {
  aio: "io_uring",
  backup: "1",
  cache: "none",
  discard: "ignore",
  iothread: "0",
  ssd: "0",
};

export const DISK_OPTIONS: readonly string[] = Object.keys(DEFAULTS);

/** Options as `CloneDisk` has them. */
export function optionsText(values: ReadonlyMap<string, string>): string {
  return DISK_OPTIONS.flatMap((key) => {
    const value = values.get(key) ?? DEFAULTS[key];
    return value === DEFAULTS[key] ? [] : [`${key}=${value}`];
  }).join(",");
}

/** What a disk has where the config says nothing: whatever its bus can. */
export function diskDefaults(
  { bus, ssd, iothread }: Pick<DiskOptions, "bus" | "ssd" | "iothread">,
  { scsiController }: Pick<Template, "scsiController">,
): { ssd: boolean; iothread: boolean } {
  const ownThread = bus === "virtio" || (bus === "scsi" && scsiController === "virtio-scsi-single");
  return { ssd: ssd ?? bus !== "virtio", iothread: iothread ?? ownThread };
}

/** A drive, or the first of its bus that is free. */
export function freeDrive(drive: string, used: ReadonlySet<string>): string {
  if (!used.has(drive)) return drive;
  const bus = drive.replace(/\d+$/, "");
  for (let index = 0; ; index++) if (!used.has(`${bus}${index}`)) return `${bus}${index}`;
}

function optionsOf(disk: DiskOptions, template: Pick<Template, "scsiController">): string {
  const { ssd, iothread } = diskDefaults(disk, template);
  return optionsText(
    new Map([
      ["aio", disk.aio],
      ["backup", disk.backup ? "1" : "0"],
      ["cache", disk.cache],
      ["discard", disk.discard ? "on" : "ignore"],
      ["iothread", iothread ? "1" : "0"],
      ["ssd", ssd ? "1" : "0"],
    ]),
  );
}

/** The drives that a template has. */
const drivesOf = (template: CloneSource): readonly string[] => template.existing?.drives ?? diskNames(template);

/**
 * A clone's own disks, on the drives after those of its template, or that one leaves free which was made elsewhere.
 *
 * @param datastore where they are unless they say so themselves
 */
export function cloneDisks(extraDisks: readonly DiskOptions[], template: CloneSource, datastore: string): CloneDisk[] {
  const used = new Set(drivesOf(template));
  return extraDisks.map((one) => {
    const drive = freeDrive(`${one.bus}0`, used);
    used.add(drive);
    return {
      drive,
      datastore: one.datastore ?? datastore,
      sizeGiB: one.sizeGiB,
      options: optionsOf(one, template),
    };
  });
}
