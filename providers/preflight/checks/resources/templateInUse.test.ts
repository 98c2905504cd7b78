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
/** A template on LVM-thin, which does not show what is linked to it. */
const old: GuestConfig = { template: 1, description, scsi0: "local-lvm:base-9000-disk-0,size=20G" };
/** A clone of ours, as its mark has it. */
const madeFrom = (content: string, more: GuestConfig = {}): GuestConfig => ({
  description: markText({ fleetId: "f1ee7000", stack: "o/p/dev", resource: "cloneSets.web", vmId: 9101, content }),
  ...more,
});
const facts = (guests: GuestEntry[], more: object = {}) =>
  fakeFacts({
    guests: async () => guests,
    guestConfig: fakeConfigs({ 9000: old, 9101: madeFrom("old-linked") }),
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
  ).toEqual(["pass no template with linked clones would have to go"]);
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

test("a template that is another one only because SSH came or went is told how to stay", async () => {
  const bySnippets = (one: "old" | "new") =>
    templateInUseBy(({ cloudInit }) => (cloudInit.snippets ? one : one === "old" ? "new" : "old"));
  const todo = async (one: "old" | "new", guests: GuestEntry[], cluster = {}) => {
    const [finding] = await bySnippets(one).run(facts(guests, { fleet: fakeFleet({ cluster }) }));
    return finding?.todo?.[0];
  };
  const stays = (value: boolean) =>
    `Only how its cloud-init reaches it is another one: with templates.noble.cloudInit.snippets: ${value} it stays as it is.`;
  expect(await todo("new", [template, guest(9101)])).toBe(stays(false));
  expect(await todo("new", [template])).toBe(stays(false));
  expect(await todo("old", [template], { ssh: undefined })).toBe(stays(true));
});

test("linked clones of others are found by the volumes that they are linked to", async () => {
  const volumes = async () => [
    { volid: "data:9000/base-9000-disk-0.qcow2", content: "images", vmid: 9000 },
    { volid: "data:9000/base-9000-disk-0.qcow2/150/vm-150-disk-0.qcow2", content: "images", vmid: 150 },
  ];
  // A clone that somebody makes by hand has the tags and the notes of what it was made from.
  const [finding] = await check.run(
    facts([template, guest(150, { name: "byhand", node: "pve2" })], {
      volumes,
      guestConfig: fakeConfigs({ 9000: old, 150: { description } }),
    }),
  );
  expect(finding?.message).toMatch(/are alive: VM 150 "byhand" on node pve2$/);
  expect(finding?.todo?.at(-1)).toMatch(/^VMs that this stack did not make: remove them/);
});

test("without linked clones it is a warning that names the sets it concerns", async () => {
  const fleet = fakeFleet({
    cloneSets: { web: { template: "noble", mode: "full", clones: [{ name: "w", vmId: 9101 }] } },
  });
  const guestConfig = fakeConfigs({ 9000: old, 9101: madeFrom("old-full") });
  expect(await found(check, facts([template, guest(9101)], { fleet, guestConfig }))).toEqual([
    "warn templates.noble: the template has changed: VM 9000 is going to be replaced. It is the template of cloneSets.web; clones that exist stay as they are.",
  ]);
});

test("full clones that are made anew are told as that", async () => {
  const set = { template: "noble", mode: "full", clones: [{ name: "w", vmId: 9101 }] };
  const other = { ...set, clones: [{ name: "d", vmId: 9102 }], onTemplateChange: "replace" };
  const fleet = fakeFleet({ cloneSets: { web: set, db: other } });
  const guestConfig = fakeConfigs({ 9000: old, 9101: madeFrom("old-full") });
  expect(await found(check, facts([template, guest(9101)], { fleet, guestConfig }))).toEqual([
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
    9000: old,
    9101: madeFrom("old-linked"),
    9001: {
      ...old,
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
  const of = (fleet: object, clone: GuestConfig = madeFrom("old-linked"), more: object = {}, by = check) =>
    by.run(
      facts([template, guest(9101)], {
        fleet: fakeFleet({ templates, cloneSets: cloneSets({}), ...fleet }),
        guestConfig: fakeConfigs({ 9000: old, 9101: clone }),
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
    expect(finding?.message).toMatch(/^the template is no longer in the config, so VM 9000.*: VM 150$/);
    expect(finding?.todo?.[0]).toBe("Put templates.noble back into the config as it was, with vmId 9000.");
  });

  test("is also a replica on a node that was taken away", async () => {
    const replica = description.replace("templates.noble", "templates.golden-pve1");
    const golden = { golden: { vmId: 9010, node: "pve2", image: { url: "http://m/n.img" } } };
    const [finding] = await of({ templates: golden, cloneSets: cloneSets({ template: "golden" }) }, undefined, {
      guestConfig: fakeConfigs({ 9000: { ...old, description: replica }, 9101: madeFrom("old-linked") }),
    });
    expect(finding).toMatchObject({ status: "fail", path: "templates.golden.nodes" });
    expect(finding?.message).toMatch(/^there is to be no replica on node pve1, so VM 9000/);
  });
});

describe("two templates of the same content", () => {
  const spare = description.replace("templates.noble", "templates.spare").replace("vmid=9000", "vmid=9010");
  const both = [template, guest(9010, { template: 1 }), guest(9101)];
  const run = (clone: GuestConfig, more: object = {}, left: object = { noble: 9000 }) => {
    const templates = Object.fromEntries(
      Object.entries(left).map(([key, vmId]) => [key, { vmId, image: { url: "http://m/n.img" } }]),
    );
    const [set] = Object.keys(left);
    return found(
      templateInUseBy(() => "old"),
      facts(both, {
        fleet: fakeFleet({
          templates,
          cloneSets: { web: { template: set, clones: [{ name: "web-1", vmId: 9101 }] } },
        }),
        guestConfig: fakeConfigs({
          9000: old,
          9010: { ...old, description: spare, scsi0: "local-lvm:base-9010-disk-0,size=20G" },
          9101: clone,
        }),
        knownVmIds: new Set([9000, 9010, 9101]),
        ...more,
      }),
    );
  };
  const none = ["pass no template with linked clones would have to go"];
  const refused = [expect.stringMatching(/^fail .*would live on: 1 of cloneSets\.web$/)];

  test("the one that nobody uses goes: the disks of a clone say which one is its own", async () => {
    const on = (vmId: number) =>
      madeFrom("old-linked", { scsi0: `zfs:base-${vmId}-disk-0/vm-9101-disk-0,size=20G`, ide2: "none,media=cdrom" });
    expect(await run(on(9000))).toEqual(none);
    expect(await run(on(9010))).toEqual(refused);
  });

  test("where the disks do not show it, the clone is of the template that its set has, or had at the last run", async () => {
    const thin = madeFrom("old-linked", { scsi0: "local-lvm:vm-9101-disk-0,size=20G" });
    expect(await run(thin)).toEqual(none);
    const had = (template: number) => ({ knownSets: { web: { vmIds: [9101], templates: [template] } } });
    expect(await run(thin, had(9000))).toEqual(none);
    // The set's template was changed in the same run.
    expect(await run(thin, had(9010))).toEqual(refused);
  });

  test("one that the set only clones, as made elsewhere, is its template like any other", async () => {
    const thin = madeFrom("old-linked", { scsi0: "local-lvm:vm-9101-disk-0,size=20G" });
    const base = fakeFleet({ cloneSets: { web: { template: "noble", clones: [{ name: "web-1", vmId: 9101 }] } } });
    const { web } = base.cloneSets;
    const { noble } = base.templates;
    if (!web || !noble) throw new Error("no set");
    const { image: _, ...source } = noble;
    const own = { content: "old", bootDisk: "scsi0", diskDrives: ["scsi0"], drives: ["scsi0"] };
    const existing = { golden: { ...source, vmId: 9010, existing: own } };
    const fleet = { ...base, existing, cloneSets: { web: { ...web, template: "golden" } } };
    const guestConfig = fakeConfigs({
      9000: old,
      9010: { ...old, description: spare, scsi0: "local-lvm:base-9010-disk-0,size=20G" },
      9101: thin,
    });
    const knownVmIds = new Set([9000, 9010, 9101]);
    expect(await found(check, facts(both, { fleet, guestConfig, knownVmIds }))).toContainEqual(
      expect.stringMatching(/^warn templates\.noble: the template has changed: VM 9000 is going to be replaced/),
    );
  });
});

test("a clone of ours that somebody has converted to a template does not go under what is linked to it", async () => {
  const converted = madeFrom("old-linked", { template: 1, scsi0: "zfs:base-9101-disk-0,size=20G" });
  const volumes = async () => [{ volid: "zfs:base-9101-disk-0/vm-150-disk-0", content: "images", vmid: 150 }];
  const guests = [guest(9101, { template: 1 }), guest(150, { name: "byhand", tags: "" })];
  const of = (cloneSets: object) =>
    check.run(
      facts(guests, {
        fleet: fakeFleet({ templates: { noble: { vmId: 9000, image: { url: "http://m/n.img" } } }, cloneSets }),
        guestConfig: fakeConfigs({ 9101: converted }),
        volumes,
      }),
    );
  const [finding] = await of({});
  expect(finding?.message).toMatch(/^the clone, which somebody has .*live on: VM 150 "byhand" on node pve1$/);
  // While the config has it, it stays.
  expect(await of({ web: { template: "noble", clones: [{ name: "web-1", vmId: 9101 }] } })).toMatchObject([
    { status: "pass" },
  ]);
});

test("a template that has lost the fleet's tag is looked at all the same", async () => {
  const untagged = guest(9000, { template: 1, tags: "" });
  expect((await found(check, facts([untagged, guest(9101)])))[0]).toMatch(/^fail .*are alive: 1 of cloneSets\.web$/);
});

test("a template on a node that does not answer cannot be looked at", async () => {
  const guestConfig = fakeConfigs({ 9000: "unreachable" });
  expect(await found(check, facts([template], { guestConfig }))).toEqual([
    "skip template 9000 is on node pve1, which does not answer, see node-online",
  ]);
});

test("what is not our template is not looked at", async () => {
  const none = ["pass no template with linked clones would have to go"];
  expect(await found(check, facts([]))).toEqual(none);
  const foreign = { guestConfig: fakeConfigs({ 9000: { template: 1, description: "somebody's" } }) };
  expect(await found(check, facts([guest(9000, { template: 1, tags: "debian" })], foreign))).toEqual(none);
  expect(await found(check, facts([template], foreign))).toEqual(none);
  expect(await found(check, facts([guest(9000)], { guestConfig: fakeConfigs({ 9000: { description } }) }))).toEqual(
    none,
  );
});
