import { expect, test } from "vitest";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { clonesLost } from "./clonesLost.ts";

const counted = (firstVmId: number, count: number, more: object = {}) => ({
  template: "noble",
  count,
  namePattern: `vm${firstVmId}-{n}`,
  firstVmId,
  ...more,
});
const vmIds = (first: number, count: number) => Array.from({ length: count }, (_none, index) => first + index);

/** What is found of a fleet that had these VMIDs in its sets, all of which are there. */
function of(before: Record<string, number[]>, cloneSets: Record<string, object>, more: object = {}) {
  const all = Object.values(before).flat();
  const guests = async () =>
    all.map((vmid): GuestEntry => ({ vmid, node: "pve1", type: "qemu", name: `vm-${vmid}`, tags: "fleet-f1ee7000" }));
  const knownSets = Object.fromEntries(
    Object.entries(before).map(([key, list]) => [key, { vmIds: list, templates: [9000] }]),
  );
  return found(
    clonesLost,
    fakeFacts({ fleet: fakeFleet({ cloneSets }), guests, knownSets, knownVmIds: new Set(all), ...more }),
  );
}

test("a few that go are told by name, and go", async () => {
  expect(await of({ web: vmIds(9101, 5) }, { web: counted(9101, 3) })).toEqual([
    "warn cloneSets.web: 2 of 5 clones are no longer in the config, and their VMs are going to be deleted: vm-9104 (VM 9104), vm-9105 (VM 9105)",
  ]);
  expect(await of({ web: [9101] }, {})).toEqual([
    "warn cloneSets.web: 1 of 1 clone is no longer in the config, and its VM is going to be deleted: vm-9101 (VM 9101)",
  ]);
});

test.each([
  ["most of a set", { web: vmIds(9101, 30) }, { web: counted(9101, 3) }, 27],
  ["a set that is mistyped", { web: vmIds(9101, 3) }, {}, 3],
  [
    "more than ten in all, few of each",
    { a: vmIds(9101, 20), b: vmIds(9201, 20) },
    { a: counted(9101, 14), b: counted(9201, 15) },
    11,
  ],
])("%s needs a word", async (_what, before, cloneSets, total) => {
  const findings = await of(before, cloneSets);
  expect(findings.length).toBeGreaterThan(0);
  for (const finding of findings) expect(finding).toMatch(/^fail cloneSets\.\w+: .*; that many need your permission$/);
  for (const finding of await of(before, cloneSets, { allowDeletes: total })) expect(finding).toMatch(/^warn /);
  expect((await of(before, cloneSets, { allowDeletes: total - 1 }))[0]).toMatch(/^fail /);
});

test("what moves to another set, or is switched off by createClones, has not left the config", async () => {
  expect(await of({ web: vmIds(9101, 5) }, { front: counted(9101, 5) })).toEqual(["pass no clone has left the config"]);
  expect(await of({ web: vmIds(9101, 5) }, { web: counted(9101, 5, { createClones: false }) })).toEqual([
    "pass no clone has left the config",
  ]);
});

test("what is gone already, or is somebody else's by now, is not counted", async () => {
  const before = { web: vmIds(9101, 5) };
  expect(await of(before, {}, { guests: async () => [] })).toEqual(["pass no clone has left the config"]);
  const guests = async () => [{ vmid: 9101, node: "pve1", type: "lxc", name: "ct" }];
  expect(await of(before, {}, { guests })).toEqual(["pass no clone has left the config"]);
});
