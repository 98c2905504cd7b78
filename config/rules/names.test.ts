import { expect, test } from "vitest";
import { noble, problems } from "../testing.ts";

const set = (name: string, vmId: number, fields: Record<string, unknown> = {}) => ({
  template: "noble",
  clones: [{ name, vmId }],
  ...fields,
});

test("names are host names: case does not make them different", () => {
  expect(problems({ cloneSets: { a: set("web", 9101), b: set("WEB", 9102) } })).toEqual([
    'cloneSets.b.clones[0].name: "WEB" is taken by cloneSets.a.clones[0].name; expected a name that no other clone has',
  ]);
});

test("a clone set's template is one of the config", () => {
  expect(problems({ cloneSets: { a: set("web", 9101, { template: "trixie" }) } })).toEqual([
    'cloneSets.a.template: found "trixie", but there is no such template; expected one of noble',
  ]);
  expect(problems({ templates: {}, cloneSets: { a: set("web", 9101) } })).toEqual([
    'cloneSets.a.template: found "noble", but there is no such template; expected one of (no templates in the config)',
  ]);
});

test("linked clones need a template, not a plain VM", () => {
  const templates = { noble: { ...noble, makeTemplate: false } };
  expect(problems({ templates, cloneSets: { a: set("web", 9101) } })).toEqual([
    'cloneSets.a.mode: found "linked", but templates.noble has makeTemplate: false; expected "full", or a template',
  ]);
  expect(problems({ templates, cloneSets: { a: set("web", 9101, { mode: "full" }) } })).toEqual([]);
});
