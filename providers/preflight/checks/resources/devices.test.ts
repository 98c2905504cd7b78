import { expect, test } from "vitest";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { deviceFree, deviceMapping, devicesOn, holdsDevice } from "./devices.ts";

const gpuFleet = (count: number, gpu: object = {}) =>
  fakeFleet({
    templates: {
      noble: { vmId: 9000, image: { url: "http://m/n.img" }, gpus: [{ mapping: "rtx4090", ...gpu }] },
    },
    cloneSets: { ai: { template: "noble", count, namePattern: "ai-{n}", firstVmId: 9101 } },
  });
const mapping = { id: "rtx4090", map: ["id=10de:2684,iommugroup=14,node=pve1,path=0000:01:00.0"] };
const mappings = async () => [mapping];

test("the devices of a mapping on a node", () => {
  expect(devicesOn(mapping, "pve1")).toEqual(["0000:01:00.0"]);
  expect(devicesOn(mapping, "pve2")).toEqual([]);
});

test("a mapping that does not exist, may not be seen, is on another node, or is wrong by PVE's own word", async () => {
  const fleet = gpuFleet(1);
  const permissions = async () => ({ "/mapping": { "Mapping.Use": 1 } });
  const of = (facts: object) => found(deviceMapping, fakeFacts({ fleet, permissions, ...facts }));
  expect(await of({ mappings })).toEqual(["pass every mapping has its device"]);
  expect(await of({ mappings: async () => [{ ...mapping, id: "rtx4080" }] })).toEqual([
    'fail templates.noble.gpus[0].mapping: found "rtx4090", but the cluster has no such PCI mapping; did you mean "rtx4080"?',
  ]);
  expect((await of({ permissions: async () => ({}) }))[0]).toMatch(/^skip .*cannot be seen without Mapping\.Use/);
  expect(await of({ mappings: async () => [{ id: "rtx4090", map: ["node=pve2,path=0000:01:00.0"] }] })).toEqual([
    "fail templates.noble.gpus[0].mapping: mapping rtx4090 has no device on node pve1, only on pve2",
  ]);
  const checks = [{ severity: "error", message: "Invalid configuration: PCI device does not exist\n" }];
  expect((await of({ mappings: async () => [{ ...mapping, checks }] }))[0]).toMatch(
    /PVE says of mapping rtx4090.*does not exist$/,
  );
});

test("a VM holds a device by its mapping or by its address", () => {
  const devices = ["0000:01:00.0"];
  expect(holdsDevice({ hostpci0: "mapping=rtx4090,pcie=1" }, "pci", "rtx4090", devices)).toBe(true);
  expect(holdsDevice({ hostpci0: "01:00,pcie=1" }, "pci", "rtx4090", devices)).toBe(true);
  expect(holdsDevice({ hostpci0: "0000:01:00.0;0000:01:00.1" }, "pci", "rtx4090", devices)).toBe(true);
  expect(holdsDevice({ hostpci0: "host=0000:02:00.0" }, "pci", "rtx4090", devices)).toBe(false);
  expect(holdsDevice({ net0: "virtio,bridge=vmbr0" }, "pci", "rtx4090", devices)).toBe(false);
});

const nas: GuestEntry = { vmid: 100, node: "pve1", type: "qemu", name: "nas", status: "running" };

test("a device that a running VM holds is not there for a clone", async () => {
  const facts = {
    mappings,
    guests: async () => [nas],
    guestConfig: fakeConfigs({ 100: { hostpci0: "0000:01:00,pcie=1" } }),
  };
  expect(await found(deviceFree, fakeFacts({ ...facts, fleet: gpuFleet(1) }))).toEqual([
    'fail templates.noble.gpus[0].mapping: mapping rtx4090 has 1 device on node pve1, and 1 clone is to be started with it; VM 100 "nas" uses it now',
  ]);
  expect((await found(deviceFree, fakeFacts({ ...facts, fleet: gpuFleet(0) })))[0]).toMatch(/^warn /);
  const stopped = async () => [{ ...nas, status: "stopped" }];
  expect(await found(deviceFree, fakeFacts({ ...facts, guests: stopped, fleet: gpuFleet(1) }))).toEqual([
    "pass there is a device for every clone",
  ]);
});

test("two clones cannot share a device, unless it is a mediated one", async () => {
  expect((await found(deviceFree, fakeFacts({ mappings, fleet: gpuFleet(2) })))[0]).toMatch(
    /has 1 device on node pve1, and 2 clones are to be started with it$/,
  );
  expect(await deviceFree.run(fakeFacts({ mappings, fleet: gpuFleet(2, { mdev: "nvidia-63" }) }))).toEqual([]);
});

test("a USB device that another VM has is not free", () => {
  const held = (usb0: string) => holdsDevice({ usb0, hostpci0: "mapping=dongle" }, "usb", "dongle", ["0403:6001"]);
  expect(held("mapping=dongle")).toBe(true);
  expect(held("host=0403:6001")).toBe(true);
  expect(held("host=1234:5678")).toBe(false);
});

test("a device of a clone's own goes to that clone alone, a USB one too", async () => {
  const usb = [{ mapping: "dongle" }];
  const clones = [1, 2].map((n) => ({ name: `ai-${n}`, vmId: 9100 + n, usb }));
  const fleet = fakeFleet({ cloneSets: { ai: { template: "noble", clones } } });
  const mappings = async () => [{ id: "dongle", map: ["id=0403:6001,node=pve1"] }];
  expect((await found(deviceFree, fakeFacts({ fleet, mappings })))[0]).toBe(
    "fail cloneSets.ai.clones[0].usb[0].mapping: mapping dongle has 1 device on node pve1, and 2 clones are to be started with it",
  );
  expect(
    (await found(deviceMapping, fakeFacts({ fleet, permissions: async () => ({ "/": { "Mapping.Use": 1 } }) })))[0],
  ) //
    .toMatch(/no such USB mapping/);
  const errors = [{ severity: "error", message: "Invalid configuration: not found" }];
  const wrong = async () => [{ id: "dongle", map: ["id=0403:6001,node=pve1"], errors }];
  expect((await found(deviceMapping, fakeFacts({ fleet, mappings: wrong })))[0]).toMatch(/PVE says of mapping dongle/);
});

test("clones with GPUs of their own do not count for their template's", async () => {
  const gpus = [{ mapping: "rtx4090" }];
  const clones = [
    { name: "ai-1", vmId: 9101 },
    { name: "ai-2", vmId: 9102, gpus: [] },
  ];
  const fleet = fakeFleet({
    templates: { noble: { vmId: 9000, image: { url: "http://m/n.img" }, gpus } },
    cloneSets: { ai: { template: "noble", clones } },
  });
  expect(await found(deviceFree, fakeFacts({ fleet, mappings: async () => [mapping] }))).toEqual([
    "pass there is a device for every clone",
  ]);
});
