import { expect, test } from "vitest";
import { grantLines, grantsOf, missingOf, roleName } from "./grants.ts";

const grant = (path: string, privilege: string) => ({
  path,
  role: roleName(path),
  privileges: [privilege],
  propagate: path !== "/",
});

test("the lines name who gets the role, and append to a role that is there", () => {
  const password = { kind: "password", username: "ops@pve", password: "x" } as const;
  expect(grantLines(grant("/vms", "VM.Audit"), password, [])[1]).toBe(
    "pveum acl modify /vms --roles GoldenFleetVms --users ops@pve",
  );
  const root = { kind: "token", id: "root@pam!lab", secret: "x" } as const;
  expect(grantLines(grant("/", "Sys.Audit"), root, ["GoldenFleet"])).toEqual([
    'pveum role modify GoldenFleet --append 1 --privs "Sys.Audit"',
    "pveum acl modify / --roles GoldenFleet --tokens 'root@pam!lab' --propagate 0",
  ]);
  expect(roleName("/storage/local-lvm")).toBe("GoldenFleetStorageLocalLvm");
});

test("a VM with ACLs of its own is granted at, and not above, where it would do nothing", () => {
  const needs = [9000, 9101].map((vmId) => ({ path: `/vms/${vmId}`, grant: "/vms", privilege: "VM.Audit" }));
  const paths = (hasAcl?: (path: string) => boolean) => grantsOf(needs, hasAcl).map(({ path }) => path);
  expect(paths()).toEqual(["/vms"]);
  expect(paths((path) => path === "/vms/9101")).toEqual(["/vms", "/vms/9101"]);
});

test("what is missing is optional if all of it is", () => {
  const need = (privilege: string, optional = {}) => ({ path: "/vms/9101", grant: "/vms", privilege, ...optional });
  const agent = need("VM.GuestAgent.Audit", { optional: "addresses" });
  const missing = (held: Record<string, number>) => missingOf([need("VM.Audit"), agent], { "/vms": held });
  expect(missing({ "VM.Audit": 1 })).toMatchObject([{ optional: "addresses", privileges: ["VM.GuestAgent.Audit"] }]);
  expect(missing({})).toMatchObject([{ privileges: ["VM.Audit", "VM.GuestAgent.Audit"] }]);
  expect(missing({})[0]).not.toHaveProperty("optional");
  expect(missing({ "VM.Audit": 1, "VM.GuestAgent.Audit": 1 })).toEqual([]);
});
