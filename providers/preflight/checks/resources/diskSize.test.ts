import { expect, test } from "vitest";
import { notes } from "../../../../fleet/ownership.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { diskSize } from "./diskSize.ts";

const GIB = 2 ** 30;
const checksum = `sha256:${"0a".repeat(32)}`;
const fleetOf = (fields: object) =>
  fakeFleet({
    templates: { noble: { vmId: 9000, image: { url: "http://m/noble.img", checksum }, ...fields } },
    cloneSets: {},
  });

test("an image in the cache that is larger than the boot disk", async () => {
  const asked: string[] = [];
  const imageDiskSize = async (...place: string[]) => {
    asked.push(place.join(" "));
    return 3.5 * GIB;
  };
  expect(await found(diskSize, fakeFacts({ fleet: fleetOf({ disk: { sizeGiB: 2 } }), imageDiskSize }))).toEqual([
    "fail templates.noble.disk.sizeGiB: found 2, but the disk of the image has 3.5 GiB; expected 4 or more",
  ]);
  expect(asked).toEqual(["pve1 local noble-0a0a0a0a0a0a0a0a.qcow2"]);
  expect(await found(diskSize, fakeFacts({ fleet: fleetOf({ disk: { sizeGiB: 4 } }), imageDiskSize }))).toEqual([
    "pass no disk would have to shrink",
  ]);
});

test("a plain VM of ours whose disk would have to shrink", async () => {
  const mark = { fleetId: "f1ee7000", stack: "o/p/s", resource: "templates.noble", vmId: 9000, content: "c" };
  const vm = (description: string) => ({
    guests: async () => [{ vmid: 9000, node: "pve1", type: "qemu" as const }],
    guestConfig: fakeConfigs({
      9000: { description, scsi0: "local-lvm:vm-9000-disk-0,size=20G", sata0: "local-lvm:vm-9000-disk-1,size=8G" },
    }),
  });
  const fleet = fleetOf({ makeTemplate: false, disk: { sizeGiB: 10 }, extraDisks: [{ bus: "sata", sizeGiB: 4 }] });
  expect(await found(diskSize, fakeFacts({ fleet, ...vm(notes("", mark)) }))).toEqual([
    "fail templates.noble.disk.sizeGiB: found 10, but scsi0 of VM 9000 has 20 GiB, and a disk cannot shrink; expected that or more",
    "fail templates.noble.extraDisks[0].sizeGiB: found 4, but sata0 of VM 9000 has 8 GiB, and a disk cannot shrink; expected that or more",
  ]);
  const passes = ["pass no disk would have to shrink"];
  // Somebody else's, a template that is made anew, disks that grow.
  expect(await found(diskSize, fakeFacts({ fleet, ...vm("payroll") }))).toEqual(passes);
  const template = fleetOf({ disk: { sizeGiB: 10 } });
  expect(await found(diskSize, fakeFacts({ fleet: template, ...vm(notes("", mark)) }))).toEqual(passes);
  const larger = fleetOf({ makeTemplate: false, disk: { sizeGiB: 30 } });
  expect(await found(diskSize, fakeFacts({ fleet: larger, ...vm(notes("", mark)) }))).toEqual(passes);
});
