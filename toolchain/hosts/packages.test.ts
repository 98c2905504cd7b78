import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dependencies, requiredPlugins } from "./packages.ts";

const program = mkdtempSync(join(tmpdir(), "program-"));
const write = (folder: string, manifest: object) => {
  mkdirSync(join(program, folder), { recursive: true });
  writeFileSync(join(program, folder, "package.json"), JSON.stringify(manifest));
};
write(".", { dependencies: { "@org/pulumi-thing": "^2.0.0", plain: "1" } });
write("node_modules/plain", { name: "plain", version: "1.2.3" });
write("node_modules/@pulumi/pulumi", { name: "@pulumi/pulumi", version: "3.0.0", pulumi: { comment: "no plugin" } });
write("node_modules/@org/pulumi-thing", {
  name: "@org/pulumi-thing",
  version: "2.1.0",
  pulumi: { resource: true, name: "thing", version: "v2.1.0", server: "github://example" },
});
mkdirSync(join(program, "node_modules", ".bin"));
mkdirSync(join(program, "sub"));

test("packages that say that they have a resource plugin are found, from a folder below as well", () => {
  const thing = { name: "thing", version: "2.1.0", server: "github://example" };
  expect(requiredPlugins(program)).toEqual([thing]);
  expect(requiredPlugins(join(program, "sub"))).toEqual([thing]);
});

test("dependencies come with the version that is installed", () => {
  expect(dependencies(program)).toEqual([
    { name: "@org/pulumi-thing", version: "2.1.0" },
    { name: "plain", version: "1.2.3" },
  ]);
});
