import { expect, it } from "vitest";
import { load, noble } from "../config/testing.ts";
import { cloneDisks } from "./cloneDisks.ts";

function disksOf(extraDisks: object[], template: object = {}) {
  const { problems, templates, cloneSets } = load({
    templates: { noble: { ...noble, ...template } },
    cloneSets: { web: { template: "noble", extraDisks, clones: [{ name: "web-1", vmId: 9101 }] } },
  });
  expect(problems).toEqual([]);
  const [clone] = cloneSets.web?.clones ?? [];
  if (!clone?.extraDisks || !templates.noble) throw new Error("there is no clone");
  return cloneDisks(clone.extraDisks, templates.noble, "local-lvm");
}

it("disks of a clone follow those of its template, each on its bus", () => {
  const extra = [{ sizeGiB: 1 }, { sizeGiB: 2, bus: "virtio" }, { sizeGiB: 3, datastore: "hdd" }];
  expect(disksOf(extra, { extraDisks: [{}, { bus: "sata" }] })).toEqual([
    { drive: "scsi2", datastore: "local-lvm", sizeGiB: 1, options: "discard=on,iothread=1,ssd=1" },
    { drive: "virtio0", datastore: "local-lvm", sizeGiB: 2, options: "discard=on,iothread=1" },
    { drive: "scsi3", datastore: "hdd", sizeGiB: 3, options: "discard=on,iothread=1,ssd=1" },
  ]);
});

it("disks of a clone whose template was made elsewhere get the drives that it leaves free", () => {
  const { templates, cloneSets } = load({
    cloneSets: {
      web: {
        template: "noble",
        extraDisks: [{ sizeGiB: 1 }, { sizeGiB: 1 }, { sizeGiB: 1, bus: "sata" }],
        clones: [{ name: "web-1", vmId: 9101 }],
      },
    },
  });
  const [clone] = cloneSets.web?.clones ?? [];
  if (!clone?.extraDisks || !templates.noble) throw new Error("there is no clone");
  const existing = { content: "a", bootDisk: "scsi1", diskDrives: ["scsi1"], drives: ["ide2", "scsi1", "sata0"] };
  const disks = cloneDisks(clone.extraDisks, { ...templates.noble, existing }, "local-lvm");
  expect(disks.map(({ drive }) => drive)).toEqual(["scsi0", "scsi2", "sata1"]);
});

it("options are those that are not PVE's defaults", () => {
  const all = { discard: false, ssd: false, iothread: false, cache: "writeback", aio: "threads", backup: false };
  const [one, other] = disksOf(
    [
      { sizeGiB: 1, ...all },
      { sizeGiB: 1, bus: "sata" },
    ],
    {
      scsiController: "virtio-scsi-pci",
    },
  );
  expect(one?.options).toBe("aio=threads,backup=0,cache=writeback");
  expect(other?.options).toBe("discard=on,ssd=1");
});
