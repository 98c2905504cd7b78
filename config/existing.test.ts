import { expect, test } from "vitest";
import type { TemplateFacts } from "./existing.ts";
import { loadConfig } from "./load.ts";
import { apiToken, cluster, problems, templateFacts } from "./testing.ts";

/** The problems of a clone set of a template that was found so. */
function found(set: object, facts: Partial<TemplateFacts> = {}): string[] {
  const config: Record<string, unknown> = {
    cluster,
    apiToken,
    templates: { debian: { existing: { vmId: 900 } } },
    cloneSets: { db: { template: "debian", clones: [{ name: "db-1", vmId: 9301, ip: "10.0.0.31/24" }], ...set } },
  };
  const read = (key: string) =>
    typeof config[key] === "string" ? config[key] : config[key] && JSON.stringify(config[key]);
  const resolved = { existing: { debian: { ...templateFacts, ...facts } } };
  return loadConfig(read as (key: string) => string, Object.keys(config), {}, [], resolved).problems.map(
    ({ path, message }) => `${path}: ${message}`,
  );
}

test("its clones may have what a template's may have", () => {
  expect(found({ cloudInit: { packages: ["htop"] }, diskGiB: 8 })).toEqual([]);
});

test("a disk of its clones is not smaller than its own", () => {
  expect(found({ diskGiB: 2 })).toEqual([expect.stringContaining("cloneSets.db.diskGiB: found 2; expected at least")]);
});

test.each([
  [{}, "expected vmId, name or tags"],
  [{ vmId: 900, tags: ["debian"] }, "expected either vmId alone, or name, tags and node"],
  [{ vmid: 900 }, 'unknown key; did you mean "vmId"?'],
])("%j is no way to find it", (existing, text) => {
  expect(problems({ templates: { debian: { existing } } }).join("\n")).toContain(text);
});

test("a snippet that it brings is not replaced without a word, as nobody knows what is in it", () => {
  const cicustom = "user=local:snippets/packer-user.yaml,vendor=local:snippets/packer-vendor.yaml";
  expect(found({ cloudInit: { packages: ["htop"], user: "ops" } }, { cicustom })).toEqual([
    expect.stringMatching(
      /^cloneSets\.db\.cloudInit: packages would take the place of all that template 900 does by its own snippet local:snippets\/packer-vendor\.yaml.*\(and 1 more\)$/,
    ),
  ]);
  expect(found({ cloudInit: { raw: { text: "{}" } } }, { cicustom })).toEqual([]);
});

test("a password that PVE shows to nobody is not lost without a word", () => {
  const cloudInit = { userData: { ssh_pwauth: true } };
  expect(found({ cloudInit }, { hasPassword: true })).toEqual([
    expect.stringContaining("cloneSets.db.cloudInit: it takes a user-data snippet, and the password of template 900"),
  ]);
});
