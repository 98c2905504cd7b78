import { expect, test } from "vitest";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { failedClones } from "./failedClones.ts";

const clone = (n: number, status: CloneInfo["status"]): CloneInfo => ({
  name: `web-${n}`,
  vmId: 9100 + n,
  node: "pve1",
  status,
});

test("names those that failed, and those alone", () => {
  expect(failedClones([clone(1, "ready"), clone(2, "failed"), clone(3, "running")])).toBe(
    "1 of 3 clones failed: web-2 (VM 9102). The others are done; `pulumi up` tries just these again.",
  );
});

test("names those whose guests may have old keys", () => {
  expect(failedClones([clone(1, "ready"), { ...clone(2, "ready"), oldKeys: "it does not run" }])).toContain(
    "1 of 2 clones failed: web-2 (VM 9102).",
  );
});

test("of very many, counts the rest", () => {
  const text = failedClones(Array.from({ length: 500 }, (_, index) => clone(index, "failed")));
  expect(text).toContain("500 of 500 clones failed: web-0 (VM 9100), ");
  expect(text).toContain("web-19 (VM 9119) and 480 more.");
});

test("says nothing when all are there, or stopped, or not ready yet", () => {
  expect(failedClones([])).toBeUndefined();
  expect(failedClones([clone(1, "ready"), clone(2, "stopped"), clone(3, "running")])).toBeUndefined();
});
