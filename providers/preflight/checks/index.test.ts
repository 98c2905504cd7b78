import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fakeFleet } from "../fakeFacts.ts";
import { requirementsOf } from "../requirements.ts";
import { CHECKS } from "./index.ts";

const docs = readFileSync(`${import.meta.dirname}/../../../docs/preflight.md`, "utf8");

test("every check is in docs/preflight.md with its group, and nothing else is", () => {
  const documented = [...docs.matchAll(/^\| `([a-z-]+)` \| (\w+) \|/gm)].map(([, id, group]) => `${id} ${group}`);
  const real = [...CHECKS.map(({ id, group }) => `${id} ${group}`), "config configuration"];
  expect(documented.sort()).toEqual(real.sort());
});

test("an id stands for one check", () => {
  expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
});

test("the lines of docs/preflight.md grant what a small config needs, path by path, and nothing else", () => {
  const roles = new Map(
    [...docs.matchAll(/^pveum role add (\S+) --privs "([^"]+)"$/gm)].map(([, role, privileges]) => [
      role,
      privileges?.split(" "),
    ]),
  );
  const granted = [...docs.matchAll(/^pveum acl modify (\S+) --users \S+ --roles (\S+)/gm)].map(
    ([, path, role]) => `${path}: ${roles.get(role)?.sort().join(" ")}`,
  );
  const needs = requirementsOf(fakeFleet(), {
    version: { version: "9.2.11", release: "9.2" },
    zoneOf: () => "localnetwork",
  });
  const needed = Map.groupBy(needs, ({ grant }) => grant);
  expect(granted.sort()).toEqual(
    [...needed]
      .map(([path, all]) => `${path}: ${[...new Set(all.map(({ privilege }) => privilege))].sort().join(" ")}`)
      .sort(),
  );
});
