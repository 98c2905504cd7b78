import { describe, expect, it } from "vitest";
import { load, noble } from "../config/testing.ts";
import { markText } from "../fleet/ownership.ts";
import { Part } from "../fleet/part.ts";
import { EVERYTHING, type Selection } from "../fleet/selection.ts";
import { cloneSnippetUrn, cloneUrn } from "../fleet/urns.ts";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { Before } from "./before.ts";
import { cloneBoots } from "./cloneSnippets.ts";
import { knownClones, knownTemplates, leftOutLines } from "./known.ts";
import { lostNote, missingParts } from "./runPart.ts";

const scope = { project: "proj", stack: "test" };
const of = (type: string, name: string) => `urn:pulumi:test::proj::golden-fleet:index:VmTemplate$${type}::${name}`;
const dynamic = (type: string, name: string) => of(`pulumi-nodejs:dynamic/golden-fleet:${type}`, name);
const stored = (vmId: number, set = "web", name = `web-${vmId - 9100}`): [string, object] => [
  cloneUrn("o/proj/test", vmId),
  { stateVersion: 2, status: "ready", node: "pve1", address: "10.0.0.9", spec: { vmId, name, set } },
];
const info = (vmId: number, change: Partial<CloneInfo> = {}): CloneInfo => ({
  name: `web-${vmId - 9100}`,
  vmId,
  node: "pve1",
  status: "running",
  ...change,
});
const clones = (...vmIds: number[]) => vmIds.map((vmId) => ({ name: `web-${vmId - 9100}`, vmId }));
const { templates, cloneSets } = load({
  templates: { noble, jammy: { ...noble, vmId: 9010 } },
  cloneSets: {
    web: { template: "noble", clones: clones(9103, 9101, 9102) },
    db: {
      template: "jammy",
      createClones: "keep",
      clones: [
        { name: "db-1", vmId: 9201 },
        { name: "db-2", vmId: 9202 },
      ],
    },
  },
});
const config = { templates, existing: {}, cloneSets };
const run = (change: Partial<Selection>, resources: [string, object][] = []) => ({
  part: new Part(scope, { ...EVERYTHING, ...change }),
  before: new Before(new Map(resources as [string, Record<string, unknown>][])),
});
const PREFLIGHT: [string, object] = [
  "urn:pulumi:test::proj::pulumi-nodejs:dynamic/golden-fleet:Preflight::preflight",
  {},
];
const all = Object.fromEntries([
  ["web", [9103, 9101].map((vmId) => info(vmId))],
  ["db", []],
]) as Record<string, CloneInfo[]>;
const names = (sets: Record<string, readonly CloneInfo[]>) =>
  Object.fromEntries(Object.entries(sets).map(([key, set]) => [key, set.map((one) => `${one.name} ${one.status}`)]));

describe("the clones that are told of", () => {
  it("are those of the config in a run of everything", () => {
    expect(knownClones(all, config, run({}))).toBe(all);
  });

  it("are, where the run leaves them out, as the state has them, also if the config knows them no more", () => {
    const resources = [stored(9101, "web", "old-name"), stored(9103), stored(9177), stored(9388, "former")];
    expect(names(knownClones(all, config, run({ targets: ["**::vm-9103"] }, resources)))).toEqual({
      // In the order of the config.
      web: ["web-3 running", "old-name ready", "web-77 ready"],
      db: [],
      former: ["web-288 ready"],
    });
  });

  it("are without those that the run deletes", () => {
    const resources = [stored(9101), stored(9103), stored(9177)];
    expect(names(knownClones(all, config, run({ excludes: ["**::vm-9101"] }, resources)))).toEqual({
      web: ["web-3 running", "web-1 ready"],
      db: [],
    });
  });

  it("of a set that is kept are as the state has them", () => {
    const kept = { ...all, db: [info(9201, { name: "renamed" })] };
    expect(names(knownClones(kept, config, run({}, [stored(9201, "db", "db-1")]))).db).toEqual(["db-1 ready"]);
  });

  it("are read from states of the first version too", () => {
    const [urn] = stored(9101);
    const old = {
      vmId: 9101,
      name: "web-1",
      set: "web",
      status: "ready",
      template: "abc",
      full: false,
      ipConfigs: ["ip=10.0.0.5/24"],
    };
    const [, first] = knownClones(all, config, run({ targets: ["**::vm-9103"] }, [[urn, old]])).web ?? [];
    expect(first).toMatchObject({ name: "web-1", address: "10.0.0.5" });
  });
});

describe("the templates that are told of", () => {
  const template = (vmId: number, contentHash: string) => ({
    vmId: vmId as number | undefined,
    isTemplate: true as boolean | undefined,
    image: { checksum: "none" as string | undefined },
    contentHash,
  });
  const stack = (reported: object): [string, object] => [
    "urn:pulumi:test::proj::pulumi:pulumi:Stack::proj-test",
    { templates: reported },
  ];

  it("are, where the run leaves them out, as the last run told", () => {
    const reported = { noble: template(9000, "old"), former: template(9050, "old") };
    const made = { noble: template(9000, "new"), jammy: template(9010, "new") };
    const resources: [string, object][] = [stack(reported), [dynamic("TemplateConversion", "9050-conversion"), {}]];
    const known = knownTemplates(made, config, run({ targets: ["**::9010-*"] }, resources));
    expect(known).toEqual({ former: reported.former, noble: reported.noble, jammy: made.jammy });
    // A run of everything deletes what the config does not have.
    expect(knownTemplates(made, config, run({}, resources))).toEqual(made);
  });

  it("are without one that was never made", () => {
    const unmade = { ...template(9000, "new"), isTemplate: undefined, image: { checksum: undefined } };
    expect(knownTemplates({ noble: unmade }, config, run({ targets: ["**::9010-*"] }))).toEqual({});
  });
});

describe("what a run was not about", () => {
  it("is nothing, if it was about everything", () => {
    expect(leftOutLines({ templates, cloneSets: { web: cloneSets.web as never } }, run({}))).toEqual([]);
  });

  it("is told by what became of it", () => {
    const resources = [
      stored(9101),
      stored(9177),
      stored(9201, "db"),
      [dynamic("TemplateConversion", "9000-conversion"), {}],
    ];
    const lines = leftOutLines(config, run({ targets: ["**::vm-9103"] }, resources as [string, object][]));
    expect(lines).toEqual([
      "preflight: nothing was looked at beforehand",
      "templates.noble: 9000 stays as it was",
      "templates.jammy: 9010 was not made",
      "cloneSets.web: 9101, 9177 stay as they were, 9102 was not made",
      "cloneSets.db (createClones: keep): 9201 stays as it was, 9202 was not made",
    ]);
  });
});

describe("what a run needs, and neither makes nor finds", () => {
  const missing = (change: Partial<Selection>, resources: [string, object][] = []) =>
    missingParts(config, run(change, resources)).map(({ path, message }) => `${path}: ${message}`);

  it("is nothing, if it is about everything", () => {
    expect(missing({})).toEqual([]);
  });

  it("is preflight, before all else", () => {
    expect(missing({ targets: ["**::vm-9101"] })).toEqual([
      expect.stringMatching(/^preflight: .*--target '\*\*Preflight::preflight'$/),
    ]);
    expect(missing({ excludes: ["**Preflight**"] })).toEqual([
      expect.stringMatching(/^preflight: .*not to be excluded$/),
    ]);
    expect(missing({ targets: ["**Preflight::preflight"] })).toEqual([]);
  });

  it("is the template of its clones", () => {
    const targets = ["**::vm-9101"];
    expect(missing({ targets }, [PREFLIGHT])).toEqual([
      "cloneSets.web.template: template noble (VM 9000) was never made and is not part of this run; expected it among the targets: --target '**::9000-*'",
    ]);
    for (const name of ["9000-conversion", "noble-9000-conversion"])
      expect(missing({ targets }, [PREFLIGHT, [dynamic("TemplateConversion", name), {}]])).toEqual([]);
    // Of a set that is kept nothing is made.
    expect(missing({ targets: ["**::vm-9201"] }, [PREFLIGHT])).toEqual([]);
  });

  it("is a snippet of its clones' own, on every node that their template is on", () => {
    const withBoots = load({
      templates: { noble: { ...noble, nodes: ["pve1", "pve2"] } },
      cloneSets: {
        web: { template: "noble", clones: clones(9101, 9102), cloudInit: { runCommands: ["echo {name}"] } },
        off: { template: "noble", clones: clones(9201) },
      },
    });
    const made: [string, object][] = [PREFLIGHT, [dynamic("TemplateConversion", "9000-conversion"), {}]];
    const lacking = (targets: string[], more: [string, object][] = []) =>
      missingParts(withBoots, run({ targets }, [...made, ...more])).map(({ path, message }) => `${path}: ${message}`);
    const told = (at: string, name: string) =>
      `${at}.cloudInit: the snippet with the first-boot configuration of ${name} was never made and is not part of this run; expected it among the targets: --target '**:index:CloneSnippets**'`;
    expect(lacking(["**::vm-9101"])).toEqual([told("cloneSets.web.clones[0]", "web-1")]);
    expect(lacking(["**::vm-910*"])).toEqual([told("cloneSets.web.clones[0]", "web-1 (and of 1 more)")]);
    expect(lacking(["**::vm-9201"])).toEqual([]);
    expect(lacking(["**::vm-9101", "**:index:CloneSnippets**"])).toEqual([]);
    const files = (name: string, ...nodes: string[]): [string, object][] => {
      const boot = cloneBoots(withBoots).get(Number(name.slice("vm-".length)));
      return (boot?.snippets ?? []).flatMap(({ kind, text }) =>
        nodes.map((node): [string, object] => [cloneSnippetUrn(scope, node, kind, text), {}]),
      );
    };
    expect(lacking(["**::vm-9102"], files("vm-9102", "pve1"))).toEqual([told("cloneSets.web.clones[1]", "web-2")]);
    expect(lacking(["**::vm-9102"], files("vm-9102", "pve1", "pve2"))).toEqual([]);
    expect(lacking(["**::vm-9101"], files("vm-9102", "pve1", "pve2"))).toHaveLength(1);
  });

  it("is what a template is made from", () => {
    expect(missing({ excludes: ["**::9000-image", "**::vm-*"] })).toEqual([
      "templates.noble: 9000-image was never made and is not part of this run; expected it not to be excluded",
    ]);
    for (const name of ["9000-image", "noble-image"])
      expect(missing({ excludes: ["**::9000-image", "**::vm-*"] }, [[dynamic("Image", name), {}]])).toEqual([]);
  });

  it("is an image that has changed, where the VM would be made from the old one", () => {
    const { url, checksumUrl, checksum } = config.templates.noble?.image ?? {};
    const had = (more: object) =>
      missing({ excludes: ["**::9000-image"] }, [
        [dynamic("Image", "9000-image"), { url, checksumUrl, checksum, ...more }],
      ]);
    expect(had({})).toEqual([]);
    expect(had({ url: "https://example.net/older.img" })).toEqual([
      "templates.noble.image: it has changed and is not part of this run, so the VM would be made from the old one; expected both or neither",
    ]);
  });
});

describe("what the config has lost, and the engine refuses to leave out", () => {
  const resources = [stored(9101), stored(9177), [dynamic("TemplateConversion", "old-9050-conversion"), {}]] as [
    string,
    object,
  ][];
  const lost = (change: Partial<Selection>) => lostNote(config, run(change, resources));
  const PREFLIGHT_TARGET = "**Preflight::preflight";

  it("is said with what to add", () => {
    expect(lost({ targets: [PREFLIGHT_TARGET, "**::vm-9101"] })).toMatch(
      /^the config does not have 9050, 9177 any more, .* Add --target '\*\*::vm-9177' --target '\*\*::9050-\*', which deletes them/,
    );
  });

  it.each<Partial<Selection>>([
    {},
    { targets: ["**::vm-9101"] },
    { targets: [PREFLIGHT_TARGET, "**::vm-9177", "**::9050-*"] },
    { excludes: ["**::vm-9177"] },
  ])("is not said of a run that is about it, or not about preflight: %j", (change) => {
    expect(lost(change)).toBeUndefined();
  });
});

describe("what a template was made from", () => {
  const mark = markText({ fleetId: "f1ee7000", stack: "s", resource: "templates.noble", vmId: 9000, content: "abc" });
  it.each(["9000-vm", "noble-9000-vm"])("stands in the notes of its VM: %s", (name) => {
    const vm: [string, object] = [of("proxmoxve:index/vmLegacy:VmLegacy", name), { description: `notes\n\n${mark}` }];
    expect(run({}, [vm]).before.contentOf(9000)).toBe("abc");
    expect(run({}, [vm]).before.contentOf(9001)).toBeUndefined();
  });
});
