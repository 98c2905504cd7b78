import { expect, test } from "vitest";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { markText } from "../../../../proxmox/ownership.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { templateInUseBy } from "./templateInUse.ts";

const guest = (vmid: number, more: Partial<GuestEntry> = {}): GuestEntry => ({
  vmid,
  node: "pve1",
  type: "qemu",
  tags: "fleet-f1ee7000",
  ...more,
});
const description = markText({
  fleetId: "f1ee7000",
  stack: "o/p/dev",
  resource: "templates.noble",
  vmId: 9000,
  content: "old",
});
const facts = (guests: GuestEntry[], more: object = {}) =>
  fakeFacts({
    guests: async () => guests,
    guestConfig: fakeConfigs({ 9000: { template: 1, description } }),
    knownVmIds: new Set([9000, 9101]),
    ...more,
  });
const check = templateInUseBy(() => "new");
const template = guest(9000, { template: 1 });

test("a template that is as it was passes", async () => {
  expect(
    await found(
      templateInUseBy(() => "old"),
      facts([template, guest(9101)]),
    ),
  ).toEqual(["pass no template with linked clones has changed"]);
});

test("a changed template with linked clones of ours is refused, with the way out", async () => {
  const [finding] = await check.run(facts([template, guest(9101)]));
  expect(finding).toMatchObject({ status: "fail", path: "templates.noble" });
  expect(finding?.message).toMatch(
    /VM 9000 would have to be replaced, but linked clones of it are alive: 1 of cloneSets\.web$/,
  );
  expect(finding?.todo?.join("\n")).toMatch(/noble-2.*cloneSets\.web.*createClones: false/s);
});

test("linked clones of others are found by the volumes that they are linked to", async () => {
  const volumes = async () => [
    { volid: "data:9000/base-9000-disk-0.qcow2", content: "images", vmid: 9000 },
    { volid: "data:9000/base-9000-disk-0.qcow2/150/vm-150-disk-0.qcow2", content: "images", vmid: 150 },
  ];
  const lines = await found(check, facts([template, guest(150, { name: "byhand", tags: "" })], { volumes }));
  expect(lines[0]).toMatch(/are alive: VM 150 "byhand"$/);
});

test("without linked clones it is a warning that names the sets it concerns", async () => {
  const fleet = fakeFleet({
    cloneSets: { web: { template: "noble", mode: "full", clones: [{ name: "w", vmId: 9101 }] } },
  });
  expect(await found(check, facts([template, guest(9101)], { fleet }))).toEqual([
    "warn templates.noble: the template has changed: VM 9000 is going to be replaced. It is the template of cloneSets.web; clones that exist stay as they are.",
  ]);
});

test("what is not our template is not looked at", async () => {
  const none = ["pass no template with linked clones has changed"];
  expect(await found(check, facts([]))).toEqual(none);
  expect(await found(check, facts([guest(9000, { tags: "debian" })]))).toEqual(none);
  expect(await found(check, facts([guest(9000)], { guestConfig: fakeConfigs({ 9000: { description } }) }))).toEqual(
    none,
  );
});
