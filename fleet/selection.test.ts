import { describe, expect, it } from "vitest";
import { EVERYTHING, includes, isPartial, type Selection } from "./selection.ts";

const CLONE = "urn:pulumi:test::proj::golden-fleet:index:CloneSet$pulumi-nodejs:dynamic/golden-fleet:Clone::vm-9101";
const SET = "urn:pulumi:test::proj::golden-fleet:index:CloneSet::web";
const selection = (change: Partial<Selection>): Selection => ({ ...EVERYTHING, ...change });

describe("the globs of the engine", () => {
  it.each([
    ["**Clone::vm-9101", true],
    ["**::vm-9101", true],
    ["**::vm-910*", true],
    ["**::vm-9102", false],
    // A single * stops at a colon.
    ["*Clone::vm-9101", false],
    ["urn:pulumi:test::proj::golden-fleet:index:CloneSet$pulumi-nodejs:dynamic/golden-fleet:*::vm-9101", true],
    ["urn:pulumi:test::*::*vm-9101", false],
    // Nothing but * means anything: not the dot, not the dollar sign.
    ["**Clone::vm.9101", false],
    ["**CloneSet$**", true],
    // The whole URN, not a piece of it.
    ["**Clone::vm-910", false],
    ["Clone::vm-9101**", false],
    [CLONE, true],
    [CLONE.slice(0, -1), false],
  ])("%s: %s", (glob, expected) => {
    expect(includes(selection({ targets: [glob] }), CLONE)).toBe(expected);
    expect(includes(selection({ excludes: [glob] }), CLONE)).toBe(!expected);
  });

  it("any of several will do", () => {
    const two = ["**Preflight::preflight", "**::vm-9101"];
    expect(includes(selection({ targets: two }), CLONE)).toBe(true);
    expect(includes(selection({ excludes: two }), CLONE)).toBe(false);
  });
});

describe("a run", () => {
  it("without targets is about everything", () => {
    expect([isPartial(EVERYTHING), includes(EVERYTHING, CLONE)]).toEqual([false, true]);
    expect(isPartial(selection({ targets: [CLONE] }))).toBe(true);
    expect(isPartial(selection({ excludes: [CLONE] }))).toBe(true);
  });

  it("is about dependents only if it is told so", () => {
    expect(includes(selection({ targets: [SET] }), CLONE, [SET])).toBe(false);
    expect(includes(selection({ targets: [SET], targetDependents: true }), CLONE, [SET])).toBe(true);
    expect(includes(selection({ excludes: [SET] }), CLONE, [SET])).toBe(true);
    expect(includes(selection({ excludes: [SET], excludeDependents: true }), CLONE, [SET])).toBe(false);
  });
});
