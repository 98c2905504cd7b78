import { describe, expect, test, vi } from "vitest";
import { markText } from "../../../../fleet/ownership.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { vmIdFree, vmIdFreeBy } from "./vmIdFree.ts";

const mark = (fleetId: string, vmId = 9101) => ({
  description: markText({
    fleetId,
    stack: "acme/fleet/prod",
    resource: "cloneSets.web",
    vmId,
    content: "linked",
  }),
});
const taken = (more: Partial<GuestEntry> = {}): GuestEntry => ({
  vmid: 9101,
  node: "pve2",
  type: "qemu",
  name: "nas",
  status: "running",
  ...more,
});
const facts = (guest: GuestEntry, config: GuestConfig = {}, more: object = {}) =>
  fakeFacts({ guests: async () => [guest], guestConfig: vi.fn(fakeConfigs({ 9101: config })), ...more });
const at = "cloneSets.web.clones[0].vmId";

test("free VMIDs pass", async () => {
  expect(await found(vmIdFree, fakeFacts())).toEqual(["pass 2 VMIDs are free or ours"]);
});

test("a VMID may be taken by a guest that the login does not see", async () => {
  const isTaken = vi.fn(async (vmId: number) => vmId === 9101);
  const permissions = async () => ({ "/pool/web": { "VM.Audit": 1 } });
  expect(await found(vmIdFree, fakeFacts({ isTaken, permissions }))).toEqual([
    `fail ${at}: VMID 9101 is taken by a guest that this login may not see (no VM.Audit on it)`,
  ]);
  // Who sees all needs not ask.
  isTaken.mockClear();
  await vmIdFree.run(fakeFacts({ isTaken, permissions: async () => ({ "/vms": { "VM.Audit": 1 } }) }));
  expect(isTaken).not.toHaveBeenCalled();
});

test("somebody's VM on any node is named", async () => {
  expect(await found(vmIdFree, facts(taken()))).toEqual([
    `fail ${at}: VMID 9101 is taken by VM "nas" on node pve2 (running), which this stack did not make`,
  ]);
  expect(await found(vmIdFree, facts(taken({ template: 1, status: "stopped" }), { template: 1 }))).toEqual([
    `fail ${at}: VMID 9101 is taken by template "nas" on node pve2, which this stack did not make`,
  ]);
});

test("a VM that the list knows no name of yet has it from its config", async () => {
  const { name: _, ...fresh } = taken({ status: "unknown" });
  expect((await found(vmIdFree, facts(fresh as GuestEntry, { name: "fresh" })))[0]).toContain(
    'VM "fresh" on node pve2',
  );
});

test("a VM that PVE is still creating or cloning has no mark yet: up looks again", async () => {
  expect(await found(vmIdFree, facts(taken(), { lock: "create" }))).toEqual([
    `warn ${at}: VMID 9101 is being created on node pve2 (lock: create); up finds out whose it is`,
  ]);
  expect(await found(vmIdFree, facts(taken(), { lock: "clone" }))).toEqual([
    `warn ${at}: VMID 9101 is being cloned, or was when the task died, on node pve2 (lock: clone); up finds out whose it is`,
  ]);
});

describe("adopt: true", () => {
  const clones = [{ name: "web-1", vmId: 9101, adopt: true }];
  const fleet = fakeFleet({ cloneSets: { web: { template: "noble", clones } } });

  test("takes over a VM, and says what that means", async () => {
    expect(await found(vmIdFree, facts(taken(), {}, { fleet }))).toEqual([
      `warn ${at}: VMID 9101 is taken by VM "nas" on node pve2 (running), and is going to be taken over (adopt: true): from then on it is managed, and deleted, like the others`,
    ]);
  });

  test("names the stack that loses it", async () => {
    expect((await found(vmIdFree, facts(taken(), mark("0ther000"), { fleet })))[0]).toMatch(
      /^warn .* it belongs to stack acme\/fleet\/prod as cloneSets\.web, which goes on managing it/,
    );
  });

  test("takes over neither a container nor a template", async () => {
    expect((await found(vmIdFree, facts(taken({ type: "lxc" }), {}, { fleet })))[0]).toMatch(/^fail .*container/);
    expect((await found(vmIdFree, facts(taken({ template: 1 }), {}, { fleet })))[0]).toMatch(/^fail .*template/);
  });
});

test("a VMID that another template of ours still has is not free: replicas keep their order", async () => {
  const templates = { noble: { vmId: 9000, nodes: ["pve1", "pve3"], image: { url: "http://m/n.img" } } };
  const fleet = fakeFleet({ templates, cloneSets: {} });
  const replica = taken({ vmid: 9001, name: "noble", template: 1, tags: "fleet-f1ee7000" });
  const description = (resource: string) =>
    markText({ fleetId: "f1ee7000", stack: "o/p/dev", resource, vmId: 9001, content: "old" });
  const of = (resource: string) =>
    vmIdFree.run(
      fakeFacts({
        fleet,
        knownVmIds: new Set([9001]),
        guests: async () => [replica],
        guestConfig: fakeConfigs({ 9001: { template: 1, description: description(resource) } }),
      }),
    );
  expect(await of("templates.noble-pve3")).toMatchObject([{ status: "pass" }]);
  const [finding] = await of("templates.noble-pve2");
  expect(finding).toMatchObject({ status: "fail", path: "templates.noble.vmId" });
  expect(finding?.message).toMatch(
    /taken by template "noble" on node pve2, which this stack made as templates.noble-pve2$/,
  );
  expect(finding?.todo?.join(" ")).toContain("add nodes at the end");
});

test("a container is never ours", async () => {
  const one = facts(taken({ type: "lxc", name: "dns" }));
  expect((await found(vmIdFree, one))[0]).toContain('taken by container "dns"');
  expect(one.guestConfig).not.toHaveBeenCalled();
});

test("another stack's VM is told with that stack", async () => {
  expect((await found(vmIdFree, facts(taken(), mark("0ther000"))))[0]).toMatch(
    /which stack acme\/fleet\/prod made as cloneSets\.web$/,
  );
});

test("our mark passes, a copy of it under another VMID does not", async () => {
  const tags = "fleet-f1ee7000";
  expect(await found(vmIdFree, facts(taken({ tags }), mark("f1ee7000")))).toEqual(["pass 2 VMIDs are free or ours"]);
  expect((await found(vmIdFree, facts(taken({ tags }), mark("f1ee7000", 9000))))[0]).toMatch(
    /which this stack did not make$/,
  );
});

test("our tag on a VMID that was ours needs no question; on another it does", async () => {
  const tagged = taken({ tags: "fleet-f1ee7000;web" });
  const trusted = facts(tagged, {}, { knownVmIds: new Set([9101]) });
  expect(await found(vmIdFree, trusted)).toEqual(["pass 2 VMIDs are free or ours"]);
  expect(trusted.guestConfig).not.toHaveBeenCalled();
  expect((await found(vmIdFree, facts(tagged)))[0]).toMatch(/^fail/);
});

test("who wants that VM is told how to take it over, in a key that the set has", async () => {
  const advice = async (cloneSets: object) => {
    const fleet = fakeFleet({ cloneSets });
    const [finding] = await vmIdFree.run(facts(taken(), {}, { fleet }));
    return finding?.todo?.[1];
  };
  const counted = { template: "noble", count: 1, namePattern: "w-{n}", firstVmId: 9101 };
  expect(await advice({ web: counted })).toMatch(
    /^If the VM is to become this clone, set cloneSets\.web\.adopt: \[9101\];/,
  );
  const listed = { template: "noble", clones: [{ name: "web-1", vmId: 9101 }] };
  expect(await advice({ web: listed })).toContain("set cloneSets.web.clones[0].adopt: true;");
  const [template] = await vmIdFree.run(facts(taken({ template: 1 })));
  expect(template?.todo).toHaveLength(1);
});

describe("clones of ours", () => {
  const many = (count: number) =>
    fakeFleet({ cloneSets: { web: { template: "noble", count, namePattern: "w-{n}", firstVmId: 1001 } } });
  const ids = (count: number) => Array.from({ length: count }, (_, index) => 1001 + index);
  const of = (count: number, tags: string, resource: string, more: object = {}) => {
    const fleet = many(count);
    const description = (vmId: number) =>
      markText({ fleetId: "f1ee7000", stack: "o/p/dev", resource, vmId, content: "a-linked" });
    return fakeFacts({
      fleet,
      knownVmIds: new Set(ids(count)),
      guests: async () => ids(count).map((vmid) => taken({ vmid, tags })),
      guestConfig: vi.fn(async ({ vmid }: GuestEntry) => ({ description: description(vmid) })),
      ...more,
    });
  };

  test("that have lost the fleet's tag are asked, all of them, and one line says so", async () => {
    const facts = of(500, "", "cloneSets.web");
    expect(await found(vmIdFree, facts)).toEqual([
      "note cloneSets.web: 1001 to 1500 have lost the tag fleet-f1ee7000; pulumi up --refresh puts it back",
    ]);
    expect(facts.guestConfig).toHaveBeenCalledTimes(500);
  });

  test("that come from another set move, and one line says so for each pair of sets", async () => {
    const knownSets = { app: { vmIds: ids(3), templates: [9000] } };
    expect(await found(vmIdFree, of(3, "fleet-f1ee7000", "cloneSets.app", { knownSets }))).toEqual([
      "note 1001 to 1003 move from cloneSets.app to cloneSets.web, their VMs stay",
    ]);
    const one = { app: { vmIds: [1001], templates: [9000] } };
    expect(await found(vmIdFree, of(1, "fleet-f1ee7000", "cloneSets.app", { knownSets: one }))).toEqual([
      "note 1001 moves from cloneSets.app to cloneSets.web, its VM stays",
    ]);
    // Nobody is asked who was in this set before.
    const stays = of(3, "fleet-f1ee7000", "cloneSets.web", {
      knownSets: { web: { vmIds: ids(3), templates: [9000] } },
    });
    expect(await found(vmIdFree, stays)).toEqual(["pass 4 VMIDs are free or ours"]);
    expect(stays.guestConfig).not.toHaveBeenCalled();
  });

  test("are not taken for a template of ours that is on their VMID", async () => {
    const [line] = await found(vmIdFree, of(1, "", "templates.old"));
    expect(line).toMatch(/^fail cloneSets\.web\.firstVmId: VMID 1001 .*which this stack made as templates\.old$/);
  });

  test("whose notes were emptied are likely ours: that is said, and what happens", async () => {
    const templates = { noble: { vmId: 9101, image: { url: "http://m/n.img" } } };
    const fleet = fakeFleet({ templates, cloneSets: {} });
    const tagged = taken({ tags: "fleet-f1ee7000" });
    const [finding] = await vmIdFree.run(facts(tagged, {}, { fleet, knownVmIds: new Set([9101]) }));
    expect(finding).toMatchObject({ status: "warn", path: "templates.noble.vmId" });
    expect(finding?.message).toMatch(/it is likely templates\.noble, and somebody has emptied the notes$/);
    expect(finding?.todo?.join(" ")).toMatch(/pulumi up --refresh writes the mark again.*up leaves it alone/);
    // A mark of somebody else is no empty note, and neither is a VM that was never ours.
    const other = facts(tagged, mark("0ther000"), { fleet, knownVmIds: new Set([9101]) });
    expect((await vmIdFree.run(other))[0]).toMatchObject({ status: "fail" });
    expect((await vmIdFree.run(facts(tagged, {}, { fleet })))[0]).toMatchObject({ status: "fail" });
  });

  test("on a node that does not answer are not looked at, which does not stop the run", async () => {
    const silent = { guestConfig: async () => "unreachable" as const };
    expect(await found(vmIdFree, of(3, "", "", silent))).toEqual([
      "warn cloneSets.web: not looked at: 1001 to 1003 on node pve2, which does not answer; up looks again before it changes anything there",
    ]);
    expect(await found(vmIdFree, of(3, "fleet-f1ee7000", "", silent))).toEqual(["pass 4 VMIDs are free or ours"]);
  });
});

describe("a template whose key has another name", () => {
  const check = vmIdFreeBy(() => "same");
  const run = (mark: { resource?: string; content?: string }, templates: object, node = "pve1") => {
    const { resource = "templates.noble", content = "same" } = mark;
    const description = markText({ fleetId: "f1ee7000", stack: "o/p/dev", resource, vmId: 9000, content });
    return found(
      check,
      fakeFacts({
        fleet: fakeFleet({ templates, cloneSets: {} }),
        knownVmIds: new Set([9000]),
        guests: async () => [taken({ vmid: 9000, node, name: "noble", template: 1, tags: "fleet-f1ee7000" })],
        guestConfig: fakeConfigs({ 9000: { template: 1, description } }),
      }),
    );
  };
  const image = { url: "http://m/n.img" };
  const debian = { debian: { vmId: 9000, image } };

  test("keeps its VM if it is the same, and the old key is gone", async () => {
    expect(await run({}, debian)).toEqual([
      "note templates.debian.vmId: templates.noble is templates.debian now, its VM 9000 stays",
    ]);
  });

  test("is another template if it has another content or node, or if the old key is still there", async () => {
    const fails = [
      expect.stringMatching(/^fail templates\.debian\.vmId: .*which this stack made as templates\.noble$/),
    ];
    expect(await run({ content: "other" }, debian)).toEqual(fails);
    expect(await run({}, debian, "pve2")).toEqual(fails);
    expect(await run({}, { ...debian, noble: { vmId: 9010, image } })).toEqual(fails);
    expect((await run({ resource: "cloneSets.web" }, debian))[0]).toMatch(/^fail .*made as cloneSets\.web$/);
  });
});
