import { expect, test } from "vitest";
import { datastoresOf, linkedVmIds } from "./linkedTo.ts";

const volume = (volid: string, vmid: number, parent?: string) => ({
  volid,
  vmid,
  content: "images",
  ...(parent !== undefined && { parent }),
});

test("a linked volume is known by its id, or by its parent, on each kind of datastore that shows it", () => {
  const of = (...volumes: ReturnType<typeof volume>[]) => linkedVmIds(volumes, 9000);
  expect(of(volume("data:9000/base-9000-disk-0.qcow2/150/vm-150-disk-0.qcow2", 150))).toEqual([150]);
  expect(of(volume("zfs:base-9000-disk-0/vm-151-disk-0", 151))).toEqual([151]);
  expect(of(volume("data:152/vm-152-disk-0.qcow2", 152, "../9000/base-9000-disk-0.qcow2"))).toEqual([152]);
  expect(of(volume("rbd:vm-153-disk-0", 153, "base-9000-disk-0@__base__"))).toEqual([153]);
});

test("the template's own volumes, whole disks and those of other templates are not", () => {
  const volumes = [
    volume("data:9000/base-9000-disk-0.qcow2", 9000),
    volume("local-lvm:vm-150-disk-0", 150),
    volume("zfs:base-90001-disk-0/vm-151-disk-0", 151),
  ];
  expect(linkedVmIds(volumes, 9000)).toEqual([]);
});

test("a VM with several linked disks counts once", () => {
  const disks = [0, 1].map((n) => volume(`zfs:base-9000-disk-${n}/vm-150-disk-${n}`, 150));
  expect(linkedVmIds([...disks, volume("zfs:base-9000-disk-0/vm-149-disk-0", 149)], 9000)).toEqual([149, 150]);
});

test("the datastores of a VM's disks, without that of a CD", () => {
  const config = {
    scsi0: "zfs:base-9000-disk-0,size=20G",
    efidisk0: "zfs:base-9000-disk-1",
    tpmstate0: "local-lvm:base-9000-disk-0",
    ide2: "local:iso/debian.iso,media=cdrom",
    scsi1: "none,media=cdrom",
  };
  expect(datastoresOf(config)).toEqual(["zfs", "local-lvm"]);
});
