import { describe, expect, it, test } from "vitest";
import { loadConfig } from "../../config/load.ts";
import type { Resolved } from "../../config/resolved.ts";
import { limited } from "./names.ts";
import type { Run } from "./options.ts";
import { partOf } from "./part.ts";

const sections: Record<string, unknown> = {
  cluster: { endpoint: "https://pve1.example.net:8006", node: "pve1" },
  templates: {
    noble: { vmId: 9000, image: { url: "https://x/noble.img" }, cloudInit: { user: "ubuntu" } },
    jammy: {
      vmId: 9010,
      nodes: ["pve1", "pve2"],
      image: { url: "https://x/jammy.img" },
      cloudInit: { user: "ubuntu" },
    },
  },
  cloneSets: {
    web: { template: "noble", count: 3, namePattern: "web-{n}", firstVmId: 9101 },
    db: { template: "jammy", clones: [{ name: "db-1", vmId: 9201 }] },
    off: { template: "noble", createClones: false, clones: [{ name: "off-1", vmId: 9301 }] },
  },
};
/** Beside these, a template that was made elsewhere, known or not. */
const withExisting = (existing: object, resolved: Resolved = {}) => {
  const all: Record<string, unknown> = {
    ...sections,
    templates: { ...(sections.templates as object), debian: { existing } },
    cloneSets: {
      ...(sections.cloneSets as object),
      desk: { template: "debian", clones: [{ name: "d-1", vmId: 9401 }] },
    },
  };
  const env = { PROXMOX_VE_API_TOKEN: "golden@pve!fleet=secret" };
  return loadConfig(
    (name) => (name in all ? JSON.stringify(all[name]) : undefined),
    Object.keys(all),
    env,
    [],
    resolved,
  );
};
const config = loadConfig(
  (name) => (name in sections ? JSON.stringify(sections[name]) : undefined),
  Object.keys(sections),
  {
    PROXMOX_VE_API_TOKEN: "golden@pve!fleet=secret",
  },
);

const made = (...vmIds: number[]) =>
  vmIds.flatMap((vmId) =>
    ["image", "vm", "conversion"].map((part) => `urn:pulumi:home::fleet::some:Type::${vmId}-${part}`),
  );
const everything = made(9000, 9010, 9011);

const part = (run: Run, options: { tags?: string; skip?: string; limit?: string }, urns = everything) => {
  const words = (text = "") => text.split(",").filter(Boolean);
  const { args, notes } = partOf(
    run,
    { tags: words(options.tags), skipTags: words(options.skip), limit: words(options.limit) },
    config,
    urns,
  );
  return { line: args.join(" ").replaceAll("--target ", "+").replaceAll("--exclude ", "-"), notes };
};
const line = (...args: Parameters<typeof part>) => part(...args).line;
const PREFLIGHT = "+**Preflight::preflight";

test("the config of these tests is sound", () => {
  expect(config.problems).toEqual([]);
});

describe("up", () => {
  it.each([
    [{}, ""],
    [{ tags: "preflight" }, PREFLIGHT],
    [{ tags: "image" }, `${PREFLIGHT} +**VmTemplate::* +**Image::*`],
    [{ tags: "vm" }, `${PREFLIGHT} +**VmTemplate::* +**SnippetFiles::* +**FileLegacy::* +**VmGuard::* +**VmLegacy::*`],
    [{ tags: "template,create" }, `${PREFLIGHT} +**VmTemplate::* +**TemplateConversion::*`],
    [{ tags: "template" }, `${PREFLIGHT} +**VmTemplate::* +**TemplateConversion::* +**CloneSet::* +**Clone::*`],
    [{ tags: "clones" }, `${PREFLIGHT} +**CloneSet::* +**Clone::*`],
    [{ tags: "image,clones", skip: "clones" }, `${PREFLIGHT} +**VmTemplate::* +**Image::*`],
    [{ skip: "clones" }, "-**:index:CloneSet**"],
    [{ skip: "template" }, "-**TemplateConversion::*"],
    [{ skip: "image" }, "-**Image::*"],
    [{ skip: "image,vm" }, "-**Image::* -**SnippetFiles::* -**FileLegacy::* -**VmGuard::* -**VmLegacy::*"],
  ])("%j", (options, expected) => {
    expect(line("up", options)).toBe(expected);
    expect(line("preview", options)).toBe(expected);
  });

  it.each([
    ["web", "+**CloneSet::web +**Clone::vm-9101 +**Clone::vm-9102 +**Clone::vm-9103"],
    ["web-1,web-3", "+**CloneSet::web +**Clone::vm-9101 +**Clone::vm-9103"],
    ["9201", "+**CloneSet::db +**Clone::vm-9201"],
    ["web-2,db-1", "+**CloneSet::web +**CloneSet::db +**Clone::vm-9102 +**Clone::vm-9201"],
    ["noble", "+**VmTemplate::noble +**::9000-*"],
    ["jammy", "+**VmTemplate::jammy +**::9010-* +**VmTemplate::jammy-pve2 +**::9011-*"],
    ["jammy-pve2", "+**VmTemplate::jammy-pve2 +**::9011-*"],
    ["off", "+**CloneSet::off +**Clone::vm-9301"],
  ])("--limit %s", (limit, expected) => {
    expect(line("up", { limit })).toBe(`${PREFLIGHT} ${expected}`);
  });

  it("with tags and a limit is about what both name", () => {
    expect(line("up", { tags: "image", limit: "noble" })).toBe(`${PREFLIGHT} +**VmTemplate::noble +**Image::9000-*`);
    expect(() => part("up", { tags: "image", limit: "web" })).toThrow(
      "--tags image --limit web: nothing is left for up",
    );
  });

  it("brings along what it needs and what was never made, and says so", () => {
    const { line, notes } = part("up", { limit: "web" }, made(9010, 9011));
    expect(line).toContain(`${PREFLIGHT} +**VmTemplate::noble +**::9000-* +**CloneSet::web`);
    expect(notes).toEqual(["templates.noble: image, VM and conversion were never made; this run makes them too."]);
  });

  it("of clones needs their template on each of its nodes", () => {
    expect(line("up", { tags: "clones" }, made(9000, 9010))).toBe(
      `${PREFLIGHT} +**VmTemplate::jammy-pve2 +**::9011-* +**CloneSet::* +**Clone::*`,
    );
  });

  it("brings along only the stages that are missing, and none that is skipped", () => {
    const urns = [...made(9010, 9011), "urn:pulumi:home::fleet::some:Type::9000-image"];
    expect(line("up", { tags: "template,create" }, urns)).toBe(
      `${PREFLIGHT} +**VmTemplate::* +**SnippetFiles::9000-* +**FileLegacy::9000-* +**VmGuard::9000-* +**VmLegacy::9000-* +**TemplateConversion::*`,
    );
    expect(line("up", { tags: "template,create", skip: "vm" }, urns)).not.toContain("9000-");
  });

  it("leaves what is no longer in the config, where Pulumi would refuse targets", () => {
    const clone = (vmId: number) => `urn:pulumi:home::fleet::golden-fleet:index:CloneSet$x:Clone::vm-${vmId}`;
    const urns = [...everything, clone(9101), clone(9109), "urn:pulumi:home::fleet::golden-fleet:index:CloneSet::gone"];
    const limited = part("up", { limit: "web-1" }, urns);
    expect(limited.line).toBe(
      [
        "-**Image::* -**SnippetFiles::* -**FileLegacy::* -**VmGuard::* -**VmLegacy::* -**TemplateConversion::*",
        "-**Clone::vm-9102 -**Clone::vm-9103 -**Clone::vm-9201 -**Clone::vm-9301 -**Clone::vm-9109 -**CloneSet::gone",
      ].join(" "),
    );
    expect(limited.notes).toEqual(["What is no longer in the config and not named here stays as it is."]);
    expect(line("up", { tags: "image" }, urns)).toMatch(/^-\*\*SnippetFiles.*-\*\*:index:CloneSet\*\*/);
    // These are about the clones that are no longer in the config, too.
    expect(line("up", { tags: "clones" }, urns)).toBe(`${PREFLIGHT} +**CloneSet::* +**Clone::*`);
    expect(line("up", { limit: "off" }, [...everything, clone(9301)])).toBe(
      `${PREFLIGHT} +**CloneSet::off +**Clone::vm-9301`,
    );
  });

  it("knows what states of earlier versions call them", () => {
    const urns = ["noble-image", "noble-9000-vm", "noble-9000-conversion"].map(
      (name) => `urn:pulumi:home::p::t::${name}`,
    );
    expect(part("up", { limit: "web" }, urns).notes).toEqual([]);
  });

  it("without clones says what becomes of them", () => {
    expect(part("up", { skip: "clones" }).notes).toEqual([
      "Clones that exist stay as they are, and none is made (createClones: false would delete them).",
    ]);
  });

  it("refuses a name that there is not, with the one that was meant and all that there are", () => {
    expect(() => part("up", { limit: "webs" })).toThrow(
      [
        '--limit: found "webs"; did you mean "web"? There are',
        "  templates: noble, jammy and jammy-pve2",
        "  clone sets: web, db and off",
        "  clones: web-1, web-2, web-3, db-1 and off-1",
      ].join("\n"),
    );
  });
});

describe("refresh", () => {
  it.each([
    [{ tags: "clones" }, "+**Clone::*"],
    [{ tags: "vm" }, "+**SnippetFiles::* +**FileLegacy::* +**VmGuard::* +**VmLegacy::*"],
    [{ limit: "web-1" }, "+**Clone::vm-9101"],
    [{ skip: "clones" }, "-**:index:CloneSet**"],
  ])("%j reads that alone", (options, expected) => {
    expect(line("refresh", options, [])).toBe(expected);
  });
});

describe("destroy", () => {
  const vm = "+**SnippetFiles::* +**FileLegacy::* +**VmGuard::* +**VmLegacy::* +**TemplateConversion::*";
  it.each([
    [{ tags: "clones" }, "+**CloneSet::* +**Clone::*"],
    [{ tags: "template" }, `+**CloneSet::* ${vm} +**Clone::*`],
    [{ tags: "vm" }, `+**CloneSet::* ${vm} +**Clone::*`],
    [{ tags: "image" }, `+**CloneSet::* +**VmTemplate::* +**Image::* ${vm} +**Clone::*`],
    [{ limit: "web-1" }, "+**Clone::vm-9101"],
    [{ limit: "web" }, "+**Clone::vm-9101 +**Clone::vm-9102 +**Clone::vm-9103"],
    [
      { limit: "noble" },
      "+**VmTemplate::noble +**::9000-* +**Clone::vm-9101 +**Clone::vm-9102 +**Clone::vm-9103 +**Clone::vm-9301",
    ],
    [{ skip: "clones" }, "-**:index:CloneSet**"],
  ])("%j deletes that and what is made of it, and never preflight's memory", (options, expected) => {
    expect(line("destroy", options)).toBe(expected);
  });

  it("of preflight alone is refused", () => {
    expect(() => part("destroy", { tags: "preflight" })).toThrow("preflight has nothing to destroy");
  });
});

test.each([
  ["debian", withExisting({ name: "debian-template" })],
  ["900", withExisting({ vmId: 900 })],
])("--limit %s, a template that was made elsewhere, says that it is only cloned", (word, with900) => {
  expect(() => limited([word], with900)).toThrow(
    `--limit: found "${word}", but templates.debian was made elsewhere and is only cloned: no run makes or changes it; expected its clone sets, desk, or clones of theirs`,
  );
  expect([...limited(["desk"], with900).clones]).toEqual([9401]);
});
