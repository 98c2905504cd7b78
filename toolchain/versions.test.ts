import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkout } from "./paths.ts";
import { isAtLeast, parseVersion, pinnedVersions } from "./versions.ts";

test.each([
  ["v3.253.0", "3.253.0", true],
  ["3.254.0", "3.253.9", true],
  ["4.0.0", "3.253.0", true],
  ["3.99.0", "3.253.0", false],
  ["3.253.0-alpha.1", "3.253.0", false],
  ["3.253.1-alpha.1", "3.253.0", true],
  ["go1.26", "1.26.0", true],
  ["go1.26rc1", "1.26.0", true],
  ["go1.9.7", "1.21", false],
  ["", "1.0.0", false],
  ["devel", "1.0.0", false],
])("%s is at least %s: %s", (have, want, expected) => {
  expect(isAtLeast(have, want)).toBe(expected);
});

test("a version is found in what a program prints about itself", () => {
  expect(parseVersion("go version go1.26.8 linux/amd64")).toEqual([1, 26, 8]);
});

test("the engine that is built is the one that the pinned SDK belongs to", () => {
  const { dependencies } = JSON.parse(readFileSync(join(checkout.root, "package.json"), "utf8"));
  expect(pinnedVersions()).toEqual({
    engine: dependencies["@pulumi/pulumi"],
    proxmoxve: dependencies["@muhlba91/pulumi-proxmoxve"],
  });
});
