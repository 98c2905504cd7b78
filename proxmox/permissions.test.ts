import { expect, test } from "vitest";
import { privilegesOn } from "./permissions.ts";

const sorted = (permissions: Record<string, Record<string, number>>, path: string) =>
  [...privilegesOn(permissions, path)].sort();

test("a path's own entry counts whole, propagated or not", () => {
  expect(sorted({ "/vms": { "VM.Audit": 0, "VM.Clone": 1 } }, "/vms")).toEqual(["VM.Audit", "VM.Clone"]);
});

test("from above comes what propagates, from the nearest path that propagates anything", () => {
  const permissions = {
    "/": { "Sys.Audit": 1 },
    "/vms": { "VM.Audit": 1, "VM.Clone": 0 },
    "/storage": { "Datastore.Audit": 0 },
  };
  expect(sorted(permissions, "/vms/100")).toEqual(["VM.Audit"]);
  expect(sorted(permissions, "/storage/local")).toEqual(["Sys.Audit"]);
  expect(sorted(permissions, "/nodes/pve1")).toEqual(["Sys.Audit"]);
});

test("a deeper entry hides what is above it", () => {
  expect(sorted({ "/vms": { "VM.Clone": 1 }, "/vms/100": { "VM.Audit": 1 } }, "/vms/100")).toEqual(["VM.Audit"]);
});

test("nothing listed is nothing held", () => {
  expect(sorted({}, "/vms/100")).toEqual([]);
  expect(sorted({ "/vms/1000": { "VM.Audit": 1 } }, "/vms/100")).toEqual([]);
});
