import { expect, it } from "vitest";
import { causeOf } from "./cause.ts";

const failed = (name: string, vmId: number) =>
  causeOf({
    name,
    vmId,
    error: `could not start ${name} (node pve1, VM ${vmId})\n  PVE task qmstart ${vmId} failed: no bridge for ${name}.lan, ${name}\n  task log: …`,
  });

it("is what PVE answered, alike for all clones that failed alike", () => {
  expect(failed("web-1", 9101)).toBe("PVE task qmstart <VMID> failed: no bridge for <name>.lan, <name>");
  expect(failed("web-11", 9111)).toBe(failed("web-1", 9101));
});

it("is the first line where that is all, or is no headline", () => {
  expect(causeOf({ name: "web-1", vmId: 9101, error: "not tried: the API is gone\nmore" })).toBe(
    "not tried: the API is gone",
  );
  expect(causeOf({ vmId: 9101 })).toBe("no cause is known");
});

it("leaves longer names and numbers alone", () => {
  expect(causeOf({ name: "web-1", vmId: 910, error: "web-11 has VMID 9101, my-web-1 not" })).toBe(
    "web-11 has VMID 9101, my-web-1 not",
  );
});
