import { describe, expect, it } from "vitest";
import { load, noble } from "../config/testing.ts";
import { Part, unchecked } from "./part.ts";
import { EVERYTHING, type Selection } from "./selection.ts";

const scope = { project: "proj", stack: "test" };
const { templates } = load({
  templates: { noble: { ...noble, nodes: ["pve1", "pve2"] }, jammy: { ...noble, vmId: 9010 } },
});
const part = (change: Partial<Selection>) => new Part(scope, { ...EVERYTHING, ...change });

/** What a run is about: templates, and clones of a set of each of them. */
function about(change: Partial<Selection>): string[] {
  const run = part(change);
  return [
    ...(run.hasPreflight ? ["preflight"] : []),
    ...Object.entries(templates).flatMap(([key, { vmId }]) => (run.hasTemplate(key, vmId) ? [key] : [])),
    ...[
      { set: "web", vmId: 9101, template: "noble" },
      { set: "web", vmId: 9102, template: "noble" },
      { set: "db", vmId: 9201, template: "jammy" },
    ].flatMap(({ set, ...clone }) => (run.hasClone(set, clone, templates) ? [String(clone.vmId)] : [])),
  ];
}

const ALL = ["preflight", "noble", "jammy", "noble-pve2", "9101", "9102", "9201"];

describe("a run", () => {
  it("without options is about everything", () => {
    expect(about({})).toEqual(ALL);
    expect(part({}).isWhole).toBe(true);
  });

  it.each<[string[], string[]]>([
    [["**Preflight::preflight"], ["preflight"]],
    [["**Clone::vm-9101"], ["9101"]],
    [["**Clone::*"], ["9101", "9102", "9201"]],
    [["**::9000-*"], ["noble"]],
    [["**TemplateConversion::*"], ["noble", "jammy", "noble-pve2"]],
    [["**VmLegacy::9010-vm"], ["jammy"]],
    [["**FileLegacy::9010-user"], ["jammy"]],
    // The components have nothing of their own to do.
    [["**VmTemplate::noble", "**CloneSet::web"], []],
    [["**VmTemplate$**"], ["noble", "jammy", "noble-pve2"]],
  ])("--target %s is about %s", (targets, expected) => {
    expect(about({ targets })).toEqual(expected);
    expect(part({ targets }).leavesOut).toBe(false);
  });

  it.each<[string[], string[]]>([
    [["**Clone::vm-9101"], ["preflight", "noble", "jammy", "noble-pve2", "9102", "9201"]],
    [["**CloneSet$**"], ["preflight", "noble", "jammy", "noble-pve2"]],
    [["**VmTemplate$**"], ["preflight", "9101", "9102", "9201"]],
    // What is left of it is still made.
    [["**::9010-image"], ALL],
    [["**Preflight::preflight"], ALL.slice(1)],
  ])("--exclude %s is about %s", (excludes, expected) => {
    expect(about({ excludes })).toEqual(expected);
    expect(part({ excludes }).leavesOut).toBe(true);
  });

  it("takes what depends on a target with it, if it is told so", () => {
    const dependents = { targetDependents: true };
    expect(about({ targets: ["**VmTemplate::jammy"], ...dependents })).toEqual(["jammy", "9201"]);
    expect(about({ targets: ["**::9000-image"], ...dependents })).toEqual(["noble", "9101", "9102"]);
    // A clone may be made from any of the replicas.
    expect(about({ targets: ["**::9001-conversion"], ...dependents })).toEqual(["noble-pve2", "9101", "9102"]);
    expect(about({ targets: ["**CloneSet::web"], ...dependents })).toEqual(["9101", "9102"]);
    expect(about({ targets: ["**Preflight::preflight"], ...dependents })).toEqual(ALL);
  });

  it("leaves out what depends on something that is left out, if it is told so", () => {
    const dependents = { excludeDependents: true };
    expect(about({ excludes: ["**VmTemplate::jammy"], ...dependents })).toEqual(
      ALL.filter((one) => !["jammy", "9201"].includes(one)),
    );
    expect(about({ excludes: ["**Preflight::preflight"], ...dependents })).toEqual([]);
  });

  it("may make a template's VM anew only if it is about that very VM", () => {
    expect(part({ targets: ["**::9010-image"] }).hasTemplateVm("jammy", 9010)).toBe(false);
    expect(part({ targets: ["**::9010-vm"] }).hasTemplateVm("jammy", 9010)).toBe(true);
    expect(part({ targets: ["**::9010-image"], targetDependents: true }).hasTemplateVm("jammy", 9010)).toBe(true);
  });
});

describe("a part of a template that others are made from", () => {
  const lacking = (change: Partial<Selection>, there: string[] = []) =>
    part(change).lacking("jammy", 9010, (name) => there.includes(name));

  it("is lacking if it was never made, and the run leaves it out", () => {
    expect(lacking({ excludes: ["**::9010-image"] })).toEqual(["image"]);
    expect(lacking({ targets: ["**::9010-conversion"] })).toEqual(["image", "guard", "vm"]);
  });

  it("is not, if it is there, or nothing is made from it", () => {
    expect(lacking({ excludes: ["**::9010-image"] }, ["image"])).toEqual([]);
    expect(lacking({ excludes: ["**::9010-*"] })).toEqual([]);
    expect(lacking({ targets: ["**::9010-image"] })).toEqual([]);
    expect(lacking({ targets: ["**::9010-conversion"] }, ["image", "guard", "vm"])).toEqual([]);
    // It is only looked at.
    expect(lacking({ excludes: ["**::9010-image"] }, ["guard", "vm", "conversion"])).toEqual([]);
    expect(lacking({})).toEqual([]);
  });
});

it("what to add is said in the option that was used", () => {
  expect(unchecked(part({ targets: ["**::vm-9101"] }))).toMatch(/: add --target '\*\*Preflight::preflight'$/);
  expect(unchecked(part({ excludes: ["**Preflight**"] }))).not.toContain("--target");
  expect(unchecked()).toMatch(/--target .*--exclude/);
});
