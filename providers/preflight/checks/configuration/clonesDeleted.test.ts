import { expect, test } from "vitest";
import { markText } from "../../../../fleet/ownership.ts";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { clonesDeleted } from "./clonesDeleted.ts";

const guest = (vmid: number, more: Partial<GuestEntry> = {}): GuestEntry => ({
  vmid,
  name: `vm-${vmid}`,
  node: "pve1",
  type: "qemu",
  tags: "fleet-f1ee7000",
  ...more,
});
const counted = (firstVmId: number, count: number, more: object = {}) => ({
  template: "noble",
  count,
  namePattern: `vm${firstVmId}-{n}`,
  firstVmId,
  ...more,
});
const off = { createClones: false };

test("what createClones: false is going to delete is counted, and nothing else", async () => {
  const fleet = fakeFleet({ cloneSets: { web: counted(9101, 10, off), db: counted(9201, 3, off) } });
  const guests = async () => [
    ...[9101, 9102, 9103, 9105].map((vmid) => guest(vmid)),
    guest(9106, { tags: "debian" }),
    guest(9107, { tags: "fleet-0ther000" }),
    guest(9108, { type: "lxc" }),
    guest(9111),
    guest(9202),
  ];
  const knownVmIds = new Set([9101, 9102, 9103, 9105, 9106, 9202]);
  expect(await found(clonesDeleted, fakeFacts({ fleet, guests, knownVmIds }))).toEqual([
    "warn cloneSets.web.createClones: createClones is false: 4 VMs of cloneSets.web are going to be deleted: vm-9101 (VM 9101), vm-9102 (VM 9102), vm-9103 (VM 9103), vm-9105 (VM 9105)",
    "warn cloneSets.db.createClones: createClones is false: 1 VM of cloneSets.db is going to be deleted: vm-9202 (VM 9202)",
  ]);
});

test("of many VMs the first are named, and the rest is counted; what would leave them alone is said", async () => {
  const fleet = fakeFleet({ cloneSets: { web: counted(9101, 12, off) } });
  const guests = async () => Array.from({ length: 12 }, (_, n) => guest(9101 + n));
  const knownVmIds = new Set(Array.from({ length: 12 }, (_, n) => 9101 + n));
  const [finding] = await clonesDeleted.run(fakeFacts({ fleet, guests, knownVmIds }));
  expect(finding?.message).toMatch(/12 VMs of cloneSets\.web .* vm-9110 \(VM 9110\), and 2 more \(9111 to 9112\)$/);
  expect(finding?.todo?.join()).toContain("createClones: keep");
});

test("a VM that another set has now stays", async () => {
  const fleet = fakeFleet({ cloneSets: { web: counted(9101, 2, off), new: counted(9102, 1) } });
  const guests = async () => [guest(9102)];
  expect(await found(clonesDeleted, fakeFacts({ fleet, guests }))).toEqual(["pass there is no clone to delete"]);
});

test("without such a set there is nothing to say", async () => {
  expect(await clonesDeleted.run(fakeFacts())).toEqual([]);
});

test("clones that have lost the fleet's tag are counted: their marks say whose they are", async () => {
  const fleet = fakeFleet({ cloneSets: { web: counted(9101, 3, off) } });
  const guests = async () => [9101, 9102, 9103].map((vmid) => guest(vmid, { tags: "" }));
  const marked = (vmId: number) => ({
    description: markText({ fleetId: "f1ee7000", stack: "o/p/dev", resource: "cloneSets.web", vmId, content: "a" }),
  });
  const guestConfig = fakeConfigs({ 9101: marked(9101), 9102: marked(9102), 9103: { description: "somebody's" } });
  const knownVmIds = new Set([9101, 9102, 9103]);
  expect(await found(clonesDeleted, fakeFacts({ fleet, guests, guestConfig, knownVmIds }))).toEqual([
    "warn cloneSets.web.createClones: createClones is false: 2 VMs of cloneSets.web are going to be deleted: vm-9101 (VM 9101), vm-9102 (VM 9102)",
  ]);
});
