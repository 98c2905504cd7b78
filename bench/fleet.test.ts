import { expect, test } from "vitest";
import type { LabState } from "../lab/lab.ts";
import { failedClones } from "./failed.ts";
import { addressOf, fleetOf } from "./fleet.ts";

test("addresses go on after the last one of a /24", () => {
  expect([1, 245, 246, 1010].map(addressOf)).toEqual(["10.1.0.11", "10.1.0.255", "10.1.1.0", "10.1.3.252"]);
});

const vm = (name: string, change: object = {}) => ({
  name,
  status: "running",
  config: { ipconfig0: "gw=10.1.0.1,ip=10.1.0.11/16" },
  ...change,
});
const vms = (clones: Record<number, object>) => clones as unknown as LabState["vms"];

test("a clone counts only if it runs under its name with its address", () => {
  const [clone] = fleetOf(1);
  expect(clone?.vmId).toBe(10_001);
  expect(failedClones(vms({ 10001: vm("web-1") }), "first", 1)).toBe(0);
  const failures = [
    {},
    { 10001: vm("web-2") },
    { 10001: vm("web-1", { status: "stopped" }) },
    { 10001: vm("web-1", { config: { ipconfig0: "ip=10.1.0.111/16,gw=10.1.0.1" } }) },
    { 10001: vm("web-1", { config: { ipconfig0: "ip=10.1.0.11/16,gw=10.1.0.1", lock: "clone" } }) },
  ];
  for (const failure of failures) expect(failedClones(vms(failure), "grow", 1)).toBe(1);
});

test("what is left after destroy is what the contender made, not what was there before", () => {
  expect(failedClones(vms({ 100: vm("nas"), 10001: vm("web-1") }), "destroy", 1)).toBe(1);
});
