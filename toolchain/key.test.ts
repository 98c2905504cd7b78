import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { buildKey } from "./key.ts";

function sources(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "key-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

test("the same sources and versions have the same key, wherever they are", () => {
  const files = { "go.mod": "module a", "main.go": "package main" };
  expect(buildKey(sources(files), "1.0.0")).toBe(buildKey(sources(files), "1.0.0"));
});

test("content, name, version and their borders all count", () => {
  const keys = [
    buildKey(sources({ a: "1" }), "1.0.0"),
    buildKey(sources({ a: "2" }), "1.0.0"),
    buildKey(sources({ b: "1" }), "1.0.0"),
    buildKey(sources({ a: "1" }), "1.0.1"),
    buildKey(sources({ a: "1", b: "" }), "1.0.0"),
    buildKey(sources({ a: "1" }), "1.0", ".0"),
    buildKey(sources({ "below/a": "1" }), "1.0.0"),
    buildKey(sources({ "below/a": "2" }), "1.0.0"),
  ];
  expect(new Set(keys).size).toBe(keys.length);
});
