import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { missingFrom, publishedBy } from "./published.ts";

const folder = mkdtempSync(join(tmpdir(), "sdk-"));
mkdirSync(join(folder, "deep"));
writeFileSync(
  join(folder, "deep", "thing.js"),
  `static __pulumiType = 'pkg:deep/thing:Thing';
   resourceInputs["name"] = args?.name;
   resourceInputs["answer"] = undefined /*out*/;`,
);
writeFileSync(join(folder, "getThing.js"), `return pulumi.runtime.invokeOutput("pkg:index/getThing:getThing", {`);
const published = publishedBy(folder);

test("what a package registers is found in its JavaScript", () => {
  expect([...published.resources]).toEqual([["pkg:deep/thing:Thing", ["name"]]]);
  expect([...published.functions]).toEqual(["pkg:index/getThing:getThing"]);
});

test("a schema that has it all lacks nothing", () => {
  const schema = {
    resources: { "pkg:deep/thing:Thing": { inputProperties: { name: {} } } },
    functions: { "pkg:index/getThing:getThing": {} },
  };
  expect(missingFrom(schema, published)).toEqual([]);
});

test("a missing resource, input or function is named", () => {
  expect(missingFrom({ resources: {}, functions: {} }, published)).toEqual([
    "resource pkg:deep/thing:Thing",
    "function pkg:index/getThing:getThing",
  ]);
  const withoutInput = { resources: { "pkg:deep/thing:Thing": {} }, functions: { "pkg:index/getThing:getThing": {} } };
  expect(missingFrom(withoutInput, published)).toEqual(["input name of pkg:deep/thing:Thing"]);
});
