import { describe, expect, test } from "vitest";
import { markText } from "../../../../fleet/ownership.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
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
  expect(finding?.todo?.join("\n")).toMatch(
    /Give templates\.noble\.vmId a VMID that is free.*noble-2.*cloneSets\.web.*createClones: false/s,
  );
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

test("full clones that are made anew are told as that", async () => {
  const set = { template: "noble", mode: "full", clones: [{ name: "w", vmId: 9101 }] };
  const other = { ...set, clones: [{ name: "d", vmId: 9102 }], onTemplateChange: "replace" };
  const fleet = fakeFleet({ cloneSets: { web: set, db: other } });
  expect(await found(check, facts([template, guest(9101)], { fleet }))).toEqual([
    "warn templates.noble: the template has changed: VM 9000 is going to be replaced. It is the template of cloneSets.web and cloneSets.db; clones of cloneSets.web that exist stay as they are; those of cloneSets.db are made anew, maxUnavailable at a time.",
  ]);
});

test("clones that are to go count: they are there until the end of the run", async () => {
  const clones = [{ name: "web-1", vmId: 9101 }];
  const fleet = fakeFleet({ cloneSets: { web: { template: "noble", createClones: false, clones } } });
  expect((await found(check, facts([template, guest(9101)], { fleet })))[0]).toMatch(/are alive: 1 of cloneSets\.web$/);
});

test("a template does not move to another node under its linked clones", async () => {
  const same = templateInUseBy(() => "old");
  const elsewhere = guest(9000, { template: 1, node: "pve2" });
  const [finding] = await same.run(facts([elsewhere, guest(9101, { node: "pve2" })]));
  expect(finding?.message).toMatch(/^the template is to move from node pve2 to pve1, so VM 9000 would have to be/);
  expect(finding?.todo?.join(" ")).toContain("qm migrate 9000 pve1");
});

test("each replica is concerned by the clones on its node alone", async () => {
  const templates = { noble: { vmId: 9000, nodes: ["pve1", "pve2"], image: { url: "http://m/n.img" } } };
  const replica = guest(9001, { template: 1, node: "pve2" });
  const marks = fakeConfigs({
    9000: { template: 1, description },
    9001: {
      template: 1,
      description: description.replace("templates.noble", "templates.noble-pve2").replace("vmid=9000", "vmid=9001"),
    },
  });
  const lines = await found(
    check,
    facts([template, replica, guest(9101, { node: "pve2" })], { fleet: fakeFleet({ templates }), guestConfig: marks }),
  );
  expect(lines).toEqual([
    expect.stringMatching(/^warn templates\.noble: the template has changed: VM 9000 is going to be replaced/),
    expect.stringMatching(/^fail templates\.noble: .*VM 9001 would have to be replaced.*: 1 of cloneSets\.web$/),
  ]);
});

describe("a template that the config has on another VMID, or no longer", () => {
  const templates = { noble: { vmId: 9010, image: { url: "http://m/n.img" } } };
  const cloneSets = (more: object) => ({
    web: { template: "noble", clones: [{ name: "web-1", vmId: 9101 }], ...more },
  });
  const madeFrom = (content: string) => ({
    description: markText({ fleetId: "f1ee7000", stack: "o/p/dev", resource: "cloneSets.web", vmId: 9101, content }),
  });
  const of = (fleet: object, clone: GuestConfig = madeFrom("old-linked"), more: object = {}, by = check) =>
    by.run(
      facts([template, guest(9101)], {
        fleet: fakeFleet({ templates, cloneSets: cloneSets({}), ...fleet }),
        guestConfig: fakeConfigs({ 9000: { template: 1, description, scsi0: "data:base-9000-disk-0" }, 9101: clone }),
        ...more,
      }),
    );

  test("stays while linked clones that stay live on it", async () => {
    const [finding] = await of({});
    expect(finding).toMatchObject({ status: "fail", path: "templates.noble.vmId" });
    expect(finding?.message).toBe(
      "the template has VMID 9010 now, so VM 9000 would be deleted at the end of the run, but linked clones of it would live on: 1 of cloneSets.web",
    );
    expect(finding?.todo).toEqual([
      "Set templates.noble.vmId back to 9000.",
      "Or set onTemplateChange: replace for cloneSets.web: its clones move to the new template, maxUnavailable at a time.",
    ]);
  });

  test("goes when its clones move away, are full, are of another template, or go too", async () => {
    expect(await of({ cloneSets: cloneSets({ onTemplateChange: "replace" }) })).toMatchObject([{ status: "pass" }]);
    expect(await of({}, madeFrom("old-full"))).toMatchObject([{ status: "pass" }]);
    expect(await of({}, madeFrom("older-linked"))).toMatchObject([{ status: "pass" }]);
    expect(await of({ cloneSets: cloneSets({ createClones: false }) })).toMatchObject([{ status: "pass" }]);
  });

  test("of the same content makes nothing anew, so its clones do not move", async () => {
    const same = templateInUseBy(() => "old");
    const [finding] = await of({ cloneSets: cloneSets({ onTemplateChange: "replace" }) }, undefined, {}, same);
    expect(finding?.todo).toEqual(["Set templates.noble.vmId back to 9000."]);
  });

  test("is known by the volumes that are linked to it, also those of VMs that are not ours", async () => {
    const volumes = async () => [{ volid: "data:base-9000-disk-0/vm-150-disk-0", content: "images", vmid: 150 }];
    const [finding] = await of({ templates: {}, cloneSets: {} }, {}, { volumes });
    expect(finding).toMatchObject({ status: "fail", path: "templates.noble" });
    expect(finding?.message).toMatch(/^the template is no longer in the config, so VM 9000.*: VM 150 ""$/);
    expect(finding?.todo?.[0]).toBe("Put templates.noble back into the config as it was, with vmId 9000.");
  });

  test("is also a replica on a node that was taken away", async () => {
    const replica = description.replace("templates.noble", "templates.golden-pve1");
    const golden = { golden: { vmId: 9010, node: "pve2", image: { url: "http://m/n.img" } } };
    const [finding] = await of({ templates: golden, cloneSets: cloneSets({ template: "golden" }) }, undefined, {
      guestConfig: fakeConfigs({ 9000: { template: 1, description: replica }, 9101: madeFrom("old-linked") }),
    });
    expect(finding).toMatchObject({ status: "fail", path: "templates.golden.nodes" });
    expect(finding?.message).toMatch(/^there is to be no replica on node pve1, so VM 9000/);
  });
});

test("what is not our template is not looked at", async () => {
  const none = ["pass no template with linked clones has changed"];
  expect(await found(check, facts([]))).toEqual(none);
  expect(await found(check, facts([guest(9000, { tags: "debian" })]))).toEqual(none);
  expect(await found(check, facts([guest(9000)], { guestConfig: fakeConfigs({ 9000: { description } }) }))).toEqual(
    none,
  );
});
