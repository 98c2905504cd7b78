import { expect, test } from "vitest";
import { setProblems, templateProblems } from "../testing.ts";

const raw = { text: "version: v1alpha1" };

test("a template with user-data of its own says nothing else of the first boot", () => {
  expect(templateProblems({ cloudInit: { raw, meta: { text: "instance-id: one" }, ip: "10.0.0.5/24" } })).toEqual([]);
});

test("what would be lost beside it is named", () => {
  expect(templateProblems({ cloudInit: { raw, user: "ubuntu", packages: ["htop"] } })).toEqual([
    "templates.noble.cloudInit.user: found it beside templates.noble.cloudInit.raw, which is all of the user-data; expected one of the two",
    "templates.noble.cloudInit.packages: found it beside templates.noble.cloudInit.raw, which is all of the user-data; expected one of the two",
  ]);
});

test.each([
  [{}, "templates.noble.cloudInit.raw: found a map; expected exactly one of text and file"],
  [{ text: "a", file: "b" }, "templates.noble.cloudInit.raw: found a map; expected exactly one of text and file"],
  [{ file: "no/such/file" }, 'templates.noble.cloudInit.raw.file: found "no/such/file"; cannot read '],
  ["#!/bin/sh", 'templates.noble.cloudInit.raw: found "#!/bin/sh"; expected a map of keys'],
])("%j", (value, text) => {
  expect(templateProblems({ cloudInit: { raw: value } })).toEqual([expect.stringContaining(text)]);
});

test("a set and a clone may have their own, by the same rule", () => {
  const clones = [{ name: "a", vmId: 9101, cloudInit: { raw, timezone: "UTC" } }];
  expect(setProblems({ clones, cloudInit: { raw } })).toEqual([
    "cloneSets.web.clones[0].cloudInit.timezone: found it beside cloneSets.web.clones[0].cloudInit.raw, which is all of the user-data; expected one of the two",
  ]);
});
