import { type CloneDisk, DISK_OPTIONS, freeDrive, optionsText } from "../../fleet/cloneDisks.ts";
import { datastoreOf, sizeOf } from "../../proxmox/disks.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { formatProperties, parseProperties } from "../../proxmox/propertyString.ts";

/** A clone's own disks: which of the state is which of the config, and what PVE has of them. */

type Disks = readonly CloneDisk[] | undefined;

const GIB = 2 ** 30;

const busOf = (drive: string): string => drive.replace(/\d+$/, "");

/**
 * What a disk is known by: its bus, and the how many-th of the clone's own it is there. Its drive is not, as the drives of
 * the template come first: another template may have more of them.
 */
export function slotsOf(disks: Disks): string[] {
  const used = new Map<string, number>();
  return (disks ?? []).map(({ drive }) => {
    const bus = busOf(drive);
    const index = used.get(bus) ?? 0;
    used.set(bus, index + 1);
    return `${bus}${index}`;
  });
}

export function bySlot(disks: Disks): Map<string, CloneDisk> {
  const slots = slotsOf(disks);
  return new Map((disks ?? []).map((disk, index) => [slots[index] ?? "", disk]));
}

/** The disks of the config on the drives that a clone has them on; a new one gets its own, or the next that is free. */
export function onTheirDrives(have: Disks, wanted: Disks): CloneDisk[] {
  const there = bySlot(have);
  const used = new Set((have ?? []).map(({ drive }) => drive));
  const slots = slotsOf(wanted);
  return (wanted ?? []).map((disk, index) => {
    const drive = there.get(slots[index] ?? "")?.drive ?? freeDrive(disk.drive, used);
    used.add(drive);
    return { ...disk, drive };
  });
}

/** Disks that are there and that the config does not have any more. */
export function lostDisks(have: Disks, wanted: Disks): CloneDisk[] {
  const stays = new Set(slotsOf(wanted));
  return [...bySlot(have)].flatMap(([slot, disk]) => (stays.has(slot) || disk.sizeGiB === 0 ? [] : [disk]));
}

/** What becomes of a clone's own disks when it is made anew. */
export function whenMadeAnew(
  have: Disks,
  { disks, keepDisks }: { disks?: Disks; keepDisks?: boolean | undefined },
): { kept: CloneDisk[]; gone: CloneDisk[] } {
  const there = (have ?? []).filter(({ sizeGiB }) => sizeGiB > 0);
  if (!keepDisks) return { kept: [], gone: there };
  const gone = lostDisks(have, disks);
  return { kept: there.filter((disk) => !gone.includes(disk)), gone };
}

/** `scsi1 with 50 GiB` */
export const diskName = ({ drive, sizeGiB }: CloneDisk): string => `${drive} with ${sizeGiB} GiB`;

export const diskNamesText = (disks: readonly CloneDisk[]): string => disks.map(diskName).join(", ");

/** Why the config's disks cannot be had; undefined: they can. */
export function shrinking(have: Disks, wanted: Disks, name: string | undefined): string | undefined {
  const there = bySlot(have);
  for (const [slot, { sizeGiB }] of bySlot(wanted)) {
    const disk = there.get(slot);
    if (disk && sizeGiB < disk.sizeGiB)
      return `disk ${disk.drive} of ${name} has ${disk.sizeGiB} GiB, and PVE cannot shrink disks; expected at least that in extraDisks, found ${sizeGiB}`;
  }
  return undefined;
}

/** The volume of a drive; undefined: the drive has none. */
export function volumeOf(config: GuestConfig, drive: string): string | undefined {
  const fields = parseProperties(config[drive]);
  const volume = fields.get("") ?? fields.get("file");
  return fields.get("media") === "cdrom" || volume === "none" ? undefined : volume;
}

/**
 * A disk as PVE has it. Of one that somebody has grown further, nothing has to be done: it cannot shrink. One that was not there
 * (0 GiB) has what it has.
 */
export function observedOwnDisk(disk: CloneDisk, config: GuestConfig): CloneDisk {
  const volume = volumeOf(config, disk.drive);
  if (volume === undefined) return { ...disk, sizeGiB: 0 };
  const gib = Math.floor((sizeOf(config[disk.drive]) ?? 0) / GIB);
  return {
    drive: disk.drive,
    datastore: datastoreOf(volume),
    sizeGiB: disk.sizeGiB === 0 ? gib : Math.min(disk.sizeGiB, gib),
    options: optionsText(parseProperties(config[disk.drive])),
  };
}

/** PVE's value of a drive with other options; what the config does not speak of stays. */
export function withOptions(current: unknown, options: string): string {
  const fields = parseProperties(current);
  for (const key of DISK_OPTIONS) fields.delete(key);
  for (const [key, value] of parseProperties(options)) fields.set(key, value);
  return formatProperties(fields);
}
