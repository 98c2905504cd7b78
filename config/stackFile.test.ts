import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readStackFile } from "./stackFile.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "golden-fleet-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const read = () => readStackFile(root, "fleet", "dev");

test("keys of the project, in every way that Pulumi writes them; encrypted values are marked", () => {
  writeFileSync(
    join(root, "Pulumi.dev.yaml"),
    "config:\n  fleet:a: {x: {secure: v1:y}}\n  fleet:config:b: 1\n  c: z\n  other:d: 2\nencryptionsalt: v1:s\n",
  );
  expect(read()).toEqual({ a: { x: { secure: "v1:y" } }, b: 1, c: "z" });
});

test("from the folder that Pulumi.yaml names", () => {
  mkdirSync(join(root, "stacks"));
  writeFileSync(join(root, "Pulumi.yaml"), "name: fleet\nstackConfigDir: stacks\n");
  writeFileSync(join(root, "stacks", "Pulumi.dev.yaml"), "config:\n  fleet:a: 1\n");
  expect(read()).toEqual({ a: 1 });
});

test.each([["config:\n"], ["{broken"], ["just a text"], [undefined]])("nothing of a file that is %j", (text) => {
  if (text !== undefined) writeFileSync(join(root, "Pulumi.dev.yaml"), text);
  expect(read()).toEqual({});
});
