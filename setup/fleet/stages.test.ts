import { expect, test } from "vitest";
import { skippedStages, stagesOf } from "./stages.ts";

test.each([
  ["preflight", []],
  ["image", ["image"]],
  ["image,always", ["image"]],
  ["vm", ["vm"]],
  ["vm,create", ["vm"]],
  ["vm,configure", ["vm"]],
  ["template", ["template", "clones"]],
  ["template,create", ["template"]],
  ["clones", ["clones"]],
  ["clones,create", ["clones"]],
  ["create", ["vm", "template", "clones"]],
  ["configure", ["vm"]],
  ["clones,image", ["image", "clones"]],
  ["preflight,clones", ["clones"]],
])("--tags %s", (tags, stages) => {
  expect(stagesOf(tags.split(","))).toEqual(stages);
});

test.each([
  ["template", ["template"]],
  ["clones,image", ["image", "clones"]],
])("--skip-tags %s", (tags, stages) => {
  expect(skippedStages(tags.split(","))).toEqual(stages);
});

test("a tag that there is not is refused, with the one that was meant", () => {
  expect(() => stagesOf(["clone"])).toThrow(
    '--tags: found "clone"; did you mean "clones"? There are preflight, image,',
  );
  expect(() => skippedStages(["nothing"])).toThrow(
    '--skip-tags: found "nothing"; expected one of preflight, image, vm',
  );
});

test("preflight is never skipped", () => {
  expect(() => skippedStages(["preflight"])).toThrow("preflight is part of every run");
});
