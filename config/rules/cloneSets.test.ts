import { expect, test } from "vitest";
import { noble, problems } from "../testing.ts";

const clone = { name: "web-1", vmId: 9101 };
const of = (set: object, template: object = {}) =>
  problems({
    templates: { noble: { ...noble, ...template } },
    cloneSets: { web: { template: "noble", clones: [clone], ...set } },
  });

test.each([
  [{ start: false }, {}],
  [{ waitFor: "agent" }, {}],
  [{ waitFor: "none", start: false }, { agent: false }],
  [{ diskGiB: 20 }, {}],
  [{ clones: [{ ...clone, diskGiB: 21 }] }, { disk: { sizeGiB: 21 } }],
  [{ nics: [{}, { vlan: 5 }] }, { nics: [{}, {}] }],
  [{ nics: [{}], clones: [{ ...clone, nics: [{}, { ip: "dhcp" }] }] }, { nics: [{}, {}] }],
  [{ clones: [{ ...clone, nics: [{}, { vlan: 7 }] }] }, {}],
  [{ gpus: [{ mapping: "gpu", pcie: false }] }, { machine: "pc" }],
  [{ hotplug: ["memory"], clones: [{ ...clone, numa: true }], numa: true }, {}],
  [{ hotplug: ["memory"] }, { cpu: { numa: true } }],
  [{ extraDisks: Array.from({ length: 15 }, () => ({ sizeGiB: 1, bus: "virtio" })) }, { disk: { bus: "virtio" } }],
  [{ keepDisks: true, clones: [{ ...clone, extraDisks: [], keepDisks: false }], extraDisks: [{ sizeGiB: 1 }] }, {}],
])("%j goes with a template with %j", (set, template) => {
  expect(of(set, template)).toEqual([]);
});

test.each([
  [
    { waitFor: "agent", start: false },
    {},
    'waitFor: found "agent" with start: false, so nothing would ever answer; expected start: true, or waitFor: started',
  ],
  [
    { waitFor: "cloud-init" },
    { agent: false },
    'waitFor: found "cloud-init", but templates.noble.agent is false, so nothing would ever answer; expected agent: true there, or waitFor: started',
  ],
  [{ diskGiB: 10 }, {}, "diskGiB: found 10; expected at least templates.noble.disk.sizeGiB (20): a disk cannot shrink"],
  [
    { diskGiB: 40, clones: [clone, { ...clone, name: "web-2", vmId: 9102, diskGiB: 29 }] },
    { disk: { sizeGiB: 30 } },
    "clones[1].diskGiB: found 29; expected at least templates.noble.disk.sizeGiB (30): a disk cannot shrink",
  ],
  [
    { extraDisks: [{ sizeGiB: 1, bus: "virtio", ssd: true }] },
    {},
    "extraDisks[0].ssd: found true with bus virtio; expected bus scsi or sata",
  ],
  [
    { clones: [{ ...clone, extraDisks: [{ sizeGiB: 1 }, { sizeGiB: 1, iothread: true }] }] },
    { scsiController: "pvscsi" },
    'clones[0].extraDisks[1].iothread: found true with scsiController "pvscsi"; expected virtio-scsi-single',
  ],
  [
    { extraDisks: [{ sizeGiB: 1, aio: "native", cache: "writeback" }] },
    {},
    'extraDisks[0].aio: found "native" with cache "writeback"; expected cache none or directsync, or another aio',
  ],
  [
    { extraDisks: Array.from({ length: 5 }, () => ({ sizeGiB: 1, bus: "sata" })) },
    { disk: { bus: "sata" }, extraDisks: [{ bus: "sata" }] },
    "extraDisks: found 7 disks on bus sata; expected at most 6 there, with those of templates.noble",
  ],
  [
    { gpus: [{ mapping: "gpu" }] },
    { machine: "pc" },
    'gpus[0].pcie: found true with machine "pc"; expected machine q35, or pcie: false',
  ],
  [
    { clones: [{ ...clone, gpus: [{ id: "0000:01:00.0" }] }] },
    {},
    'clones[0].gpus[0].id: found "0000:01:00.0", a raw PCI address, which PVE takes from root@pam with a password only; expected a mapping, which works with an API token',
  ],
  [
    { affinity: "0-3" },
    {},
    'affinity: found "0-3", which PVE takes from root@pam with a password only; expected none with this login',
  ],
  [
    { clones: [{ ...clone, hotplug: ["memory"] }] },
    {},
    'clones[0].hotplug: found "memory", which needs NUMA; expected numa: true with it',
  ],
])("%j does not go with a template with %j", (set, template, expected) => {
  expect(of(set, template)).toEqual([`cloneSets.web.${expected}`]);
});
