import { expect, test } from "vitest";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { macFree, macsIn } from "./macFree.ts";

const MAC = "BC:24:11:00:00:01";
const fleet = fakeFleet({
  cloneSets: { web: { template: "noble", clones: [{ name: "w", vmId: 9101, nics: [{ mac: MAC.toLowerCase() }] }] } },
});
const guest: GuestEntry = { vmid: 100, node: "pve2", type: "qemu", name: "nas" };
const of = (config: GuestConfig) =>
  found(macFree, fakeFacts({ fleet, guests: async () => [guest], guestConfig: fakeConfigs({ 100: config }) }));

test("the MAC addresses of VMs and containers", () => {
  expect(macsIn({ net0: `virtio=${MAC},bridge=vmbr0`, scsi0: "local-lvm:vm-100-disk-0" })).toEqual([MAC]);
  expect(macsIn({ net1: `name=eth1,bridge=vmbr0,hwaddr=${MAC.toLowerCase()},type=veth` })).toEqual([MAC]);
});

test("one that another guest has is refused", async () => {
  expect(await of({ name: "nas", net3: `e1000=${MAC},bridge=vmbr1` })).toEqual([
    `fail cloneSets.web.clones[0].nics[0].mac: ${MAC} is the MAC address of VM 100 "nas" on node pve2; expected one that nobody has`,
  ]);
  expect(await of({ name: "nas", net0: "virtio=BC:24:11:00:00:02,bridge=vmbr0" })).toEqual([
    "pass no other guest has a MAC address of the config",
  ]);
});
