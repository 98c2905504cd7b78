import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { KEYS } from "../config/load.ts";
import { load } from "../config/testing.ts";
import { FILE, sections, upToDate } from "./configuration.ts";

const text = readFileSync(FILE, "utf8");

test("docs/configuration.md is what the schemas say; if not: node docs/configuration.ts", () => {
  expect(text).toBe(upToDate(text));
});

test("every key has a meaning", () => {
  const silent = sections().flatMap(({ title, rows }) =>
    rows.filter(({ meaning }) => meaning === "").map(({ path }) => `${title}: ${path}`),
  );
  expect(silent).toEqual([]);
});

test("every key of the stack is named in the introduction", () => {
  for (const key of KEYS) expect(text).toContain(`| \`${key}\` |`);
});

const examples = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = ""]) => yaml);

test("there are examples", () => {
  expect(examples.length).toBeGreaterThan(1);
});

test.each(examples)("the example has no problem: %s", (yaml) => {
  const config = (parse(yaml) as { config: Record<string, unknown> }).config;
  const plain = Object.entries(config).map(([name, value]) => {
    expect(name).toMatch(/^proxmox-golden-fleet:/);
    const key = name.slice("proxmox-golden-fleet:".length);
    return [key, key === "apiToken" ? "golden@pve!fleet=secret" : value];
  });
  const { problems, warnings } = load(Object.fromEntries(plain));
  // The files of the example are on no other machine.
  expect(problems.filter(({ message }) => !message.includes("there is no such file"))).toEqual([]);
  expect(warnings).toEqual([]);
});
