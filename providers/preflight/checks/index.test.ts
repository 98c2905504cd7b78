import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fakeFleet } from "../fakeFacts.ts";
import { requirementsOf } from "../requirements.ts";
import { CHECKS, checksFor } from "./index.ts";

const read = (file: string) => readFileSync(`${import.meta.dirname}/../../../${file}`, "utf8");
const docs = read("docs/preflight.md");

test("every check is in docs/preflight.md with its group, and nothing else is", () => {
  const documented = [...docs.matchAll(/^\| `([a-z-]+)` \| (\w+) \|/gm)].map(([, id, group]) => `${id} ${group}`);
  const real = [...CHECKS.map(({ id, group }) => `${id} ${group}`), "config configuration"];
  expect(documented.sort()).toEqual(real.sort());
});

test("an id stands for one check", () => {
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
});

test.each(["docs/preflight.md", "docs/by-hand.md"])("%s grants what a small config needs, and nothing else", (file) => {
  const text = read(file);
  const roles = new Map(
    [...text.matchAll(/^pveum role add (\S+) --privs "([^"]+)"$/gm)].map(([, role, privileges]) => [
      role,
      privileges?.split(" "),
    ]),
  );
  const granted = [...text.matchAll(/^pveum acl modify (\S+) --users \S+ --roles (\S+)/gm)].map(
    ([, path, role]) => `${path}: ${roles.get(role)?.sort().join(" ")}`,
  );
  const needs = requirementsOf(fakeFleet(), {
    version: { version: "9.2.11", release: "9.2" },
    guests: new Map(),
    zoneOf: () => "localnetwork",
  });
  const needed = Map.groupBy(needs, ({ grant }) => grant);
  const lines = [...needed].map(
    ([path, all]) => `${path}: ${[...new Set(all.map(({ privilege }) => privilege))].sort().join(" ")}`,
  );
  expect(granted.sort()).toEqual(lines.sort());
});

test("a template with a typo is not said to have left the config", () => {
  const ids = (path: string) => checksFor([{ path, message: "unknown key" }]).map(({ id }) => id);
  expect(ids("templates.noble.memoryMb")).not.toContain("template-in-use");
  expect(ids("cloneSets.web.tempalte")).toEqual(CHECKS.map(({ id }) => id));
});
