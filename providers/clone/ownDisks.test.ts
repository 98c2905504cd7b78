import { describe, expect, it } from "vitest";
import type { CloneDisk } from "../../fleet/cloneDisks.ts";
import {
  lostDisks,
  observedOwnDisk,
  onTheirDrives,
  shrinking,
  slotsOf,
  whenMadeAnew,
  withOptions,
} from "./ownDisks.ts";

const disk = (drive: string, sizeGiB = 8, change: Partial<CloneDisk> = {}): CloneDisk => ({
  drive,
  datastore: "local-lvm",
  sizeGiB,
  options: "discard=on,ssd=1",
  ...change,
});
const drives = (disks: readonly CloneDisk[]) => disks.map(({ drive }) => drive);

describe("a clone's own disks", () => {
  it("are known by their place on their bus", () => {
    expect(slotsOf([disk("scsi1"), disk("virtio0"), disk("scsi2")])).toEqual(["scsi0", "virtio0", "scsi1"]);
  });

  it("stay on their drives when another template has more or fewer disks", () => {
    expect(drives(onTheirDrives([disk("scsi1")], [disk("scsi2"), disk("scsi3")]))).toEqual(["scsi1", "scsi3"]);
    expect(drives(onTheirDrives([disk("scsi2")], [disk("scsi1"), disk("scsi2")]))).toEqual(["scsi2", "scsi0"]);
    expect(drives(onTheirDrives(undefined, [disk("scsi1")]))).toEqual(["scsi1"]);
  });

  it("are lost where the config has fewer of them on a bus; what is gone already is not lost", () => {
    const have = [disk("scsi1"), disk("virtio0"), disk("scsi2"), disk("sata0", 0)];
    expect(drives(lostDisks(have, [disk("scsi1")]))).toEqual(["virtio0", "scsi2"]);
    expect(lostDisks(have, [disk("scsi1"), disk("scsi2"), disk("virtio0")])).toEqual([]);
  });

  it("all go when the clone is made anew, unless they are to be kept and are in the config", () => {
    const have = [disk("scsi1"), disk("scsi2"), disk("scsi3", 0)];
    const names = ({ kept, gone }: ReturnType<typeof whenMadeAnew>) => [drives(kept), drives(gone)];
    expect(names(whenMadeAnew(have, { disks: [disk("scsi1")] }))).toEqual([[], ["scsi1", "scsi2"]]);
    expect(names(whenMadeAnew(have, { disks: [disk("scsi1")], keepDisks: true }))).toEqual([["scsi1"], ["scsi2"]]);
  });

  it("do not shrink", () => {
    expect(shrinking([disk("scsi1", 8)], [disk("scsi2", 7)], "web-1")).toBe(
      "disk scsi1 of web-1 has 8 GiB, and PVE cannot shrink disks; expected at least that in extraDisks, found 7",
    );
    expect(shrinking([disk("scsi1", 8)], [disk("scsi1", 9), disk("scsi2", 1)], "web-1")).toBeUndefined();
  });
});

describe("what PVE has of a disk", () => {
  const value = "local-lvm:vm-9101-disk-2,discard=on,serial=abc,size=8G,ssd=1";

  it.each<[string, string | undefined, CloneDisk]>([
    ["as it should be", value, disk("scsi1")],
    ["in another order, and with PVE's defaults written out", `${value},backup=1,aio=io_uring`, disk("scsi1")],
    ["grown by somebody", value.replace("8G", "20G"), disk("scsi1")],
    ["smaller", value.replace("8G", "4G"), disk("scsi1", 4)],
    ["changed", value.replace("discard=on", "cache=unsafe"), disk("scsi1", 8, { options: "cache=unsafe,ssd=1" })],
    ["moved", value.replace("local-lvm", "hdd"), disk("scsi1", 8, { datastore: "hdd" })],
    ["gone", undefined, disk("scsi1", 0)],
    ["a CD drive", "none,media=cdrom", disk("scsi1", 0)],
  ])("%s", (_how, now, expected) => {
    expect(observedOwnDisk(disk("scsi1"), { scsi1: now })).toEqual(expected);
  });

  it("keeps what the config does not speak of when its options change", () => {
    expect(withOptions(value, "backup=0")).toBe("local-lvm:vm-9101-disk-2,serial=abc,size=8G,backup=0");
  });
});
