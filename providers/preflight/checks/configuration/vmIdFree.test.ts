import { describe, expect, test, vi } from "vitest";
import { markText } from "../../../../fleet/ownership.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import { fakeConfigs, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { vmIdFree } from "./vmIdFree.ts";

const mark = (fleetId: string, vmId = 9101) => ({
  description: markText({
    fleetId,
    stack: "acme/fleet/prod",
    resource: "cloneSets.web.web-1",
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
    `warn ${at}: VMID 9101 is being created on node pve2 (lock: create); if it is not ours, up will stop there`,
  ]);
  expect(await found(vmIdFree, facts(taken(), { lock: "clone" }))).toEqual([
    `warn ${at}: VMID 9101 is being cloned, or was until the task died, on node pve2 (lock: clone); if it is not ours, up will stop there`,
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
      /^warn .* it belongs to stack acme\/fleet\/prod as cloneSets\.web\.web-1, which goes on managing it/,
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
    /which stack acme\/fleet\/prod made as cloneSets\.web\.web-1$/,
  );
});

test("our mark passes, a copy of it under another VMID does not", async () => {
  expect(await found(vmIdFree, facts(taken(), mark("f1ee7000")))).toEqual(["pass 2 VMIDs are free or ours"]);
  expect((await found(vmIdFree, facts(taken(), mark("f1ee7000", 9000))))[0]).toMatch(/which this stack did not make$/);
});

test("our tag on a VMID that was ours needs no question; on another it does", async () => {
  const tagged = taken({ tags: "fleet-f1ee7000;web" });
  const trusted = facts(tagged, {}, { knownVmIds: new Set([9101]) });
  expect(await found(vmIdFree, trusted)).toEqual(["pass 2 VMIDs are free or ours"]);
  expect(trusted.guestConfig).not.toHaveBeenCalled();
  expect((await found(vmIdFree, facts(tagged)))[0]).toMatch(/^fail/);
});

test("of five hundred taken VMIDs only some are asked for their mark", async () => {
  const fleet = fakeFleet({
    cloneSets: { web: { template: "noble", count: 500, namePattern: "w-{n}", firstVmId: 1000 } },
  });
  const guestConfig = vi.fn(async () => ({}));
  const guests = async () => Array.from({ length: 500 }, (_, index) => taken({ vmid: 1000 + index }));
  expect(await vmIdFree.run(fakeFacts({ fleet, guests, guestConfig }))).toHaveLength(500);
  expect(guestConfig.mock.calls.length).toBeLessThanOrEqual(30);
});
