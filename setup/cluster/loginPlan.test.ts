import { expect, test } from "vitest";
import { fakeFleet } from "../../providers/preflight/fakeFacts.ts";
import { checkNames, type Existing, NOTHING, planFor } from "./loginPlan.ts";
import { needsWithout } from "./needs.ts";

const fleet = fakeFleet();
const needs = needsWithout(fleet);
const wanted = { user: "golden@pve", token: "fleet", fleet };
const plan = (existing: Partial<Existing> = {}, more: Partial<typeof wanted> = {}) =>
  planFor({ ...wanted, ...more }, needs, { ...NOTHING, ...existing });
const texts = (existing: Partial<Existing>, what: string) =>
  plan(existing).changes.flatMap((change) => (change.what === what ? [`${change.action}: ${change.text}`] : []));
const users = [{ userid: "golden@pve" }];

test("each change has its call and its line, in the order in which they can be made", () => {
  const { changes } = plan();
  expect(changes.map(({ call, line }) => call !== undefined && line !== undefined)).not.toContain(false);
  expect([...new Set(changes.map(({ what }) => what))]).toEqual(["user", "role", "acl", "token"]);
  expect(changes.at(-1)?.call).toEqual({
    method: "post",
    path: "/access/users/golden%40pve/token/fleet",
    params: { privsep: 0, comment: "proxmox-golden-fleet" },
  });
});

test("a role that two paths share has what both need", () => {
  const two = ["/pool/a-b", "/pool/a/b"].map((path, index) => ({
    path,
    grant: path,
    privilege: index === 0 ? "VM.Audit" : "Pool.Audit",
  }));
  const roles = planFor(wanted, two, NOTHING).changes.filter(({ what }) => what === "role");
  expect(roles).toMatchObject([{ name: "GoldenFleetPoolAB", privileges: ["Pool.Audit", "VM.Audit"] }]);
});

test("a role that others have too says so; what it has besides stays", () => {
  const acls = [{ path: "/vms", type: "user" as const, ugid: "mia@pve", roleid: "GoldenFleetNodesPve1" }];
  const roles = new Map([
    ["GoldenFleetNodesPve1", ["Sys.Audit"]],
    ["GoldenFleetSdnZonesLocalnetworkVmbr0", ["SDN.Audit", "SDN.Use"]],
  ]);
  expect(texts({ roles, acls }, "role").slice(1, 3)).toEqual([
    "add: role GoldenFleetNodesPve1 lacks Sys.AccessNetwork: that is added, for mia@pve too, nothing is taken away; it has Sys.Audit besides",
    "keep: role GoldenFleetSdnZonesLocalnetworkVmbr0 has all that is needed; it has SDN.Audit besides",
  ]);
});

test("a first ACL of a user on a path says what that hides there", () => {
  const permissions = { "/": { "VM.Audit": 1, "VM.Backup": 1 } };
  expect(texts({ users, permissions }, "acl").find((text) => text.includes("/vms"))).toBe(
    "make: golden@pve gets the role GoldenFleetVms on /vms; it loses VM.Backup there, which it has by a group or from above",
  );
});

test("what a user has by whatever way gets no ACL", () => {
  const permissions = {
    "/storage/local": Object.fromEntries(
      ["Datastore.Allocate", "Datastore.AllocateTemplate", "Datastore.Audit"].map((name) => [name, 1]),
    ),
  };
  expect(texts({ users, permissions }, "acl")).toContain("keep: golden@pve has all that is needed on /storage/local");
  expect(texts({ users, permissions }, "role").join()).not.toContain("GoldenFleetStorageLocal ");
});

test("a user with more than the config needs gets a token with ACLs of its own, one with less does not", () => {
  const separated = (permissions: Existing["permissions"]) => plan({ users, permissions }).privilegeSeparation;
  expect(separated({ "/vms": { "VM.Audit": 1 } })).toBe(false);
  expect(separated({ "/vms/9101": { "VM.Audit": 1 } })).toBe(false);
  expect(separated({ "/vms": { "VM.Backup": 1 } })).toBe(true);
  expect(separated({ "/storage/backup": { "Datastore.Audit": 1 } })).toBe(true);
  const { changes } = plan({ users, permissions: { "/": { "VM.Backup": 1 } } });
  expect(changes.map(({ what }) => what).lastIndexOf("acl")).toBeGreaterThan(
    changes.findIndex(({ what }) => what === "token"),
  );
});

test("a user that is disabled or has ended, and a token that is there, are conflicts; free names are offered", () => {
  expect(plan({ users: [{ userid: "golden@pve", enable: 0 }, { userid: "golden-2@pve" }] })).toMatchObject({
    isPossible: false,
    otherUser: "golden-3@pve",
  });
  expect(texts({ users: [{ userid: "golden@pve", expire: 1 }] }, "user")).toEqual([
    "conflict: user golden@pve exists, but has ended: choose another one, or enable it",
  ]);
  expect(plan({ users, tokens: [{ tokenid: "fleet" }] })).toMatchObject({ isPossible: false, otherToken: "fleet-2" });
});

test("names that PVE would not take are errors", () => {
  expect(() => checkNames({ ...wanted, user: "golden" })).toThrow('found the user "golden"; expected user@realm');
  expect(() => checkNames({ ...wanted, token: "1" })).toThrow('found the token name "1"; expected a letter');
});
