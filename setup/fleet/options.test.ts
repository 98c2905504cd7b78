import { expect, test } from "vitest";
import { readOptions, runOf } from "./options.ts";

test("what is Pulumi's stays as it is, in its order", () => {
  const argv = ["up", "--yes", "-p", "4", "--message=a, b", "--target", "**::vm-9101", "--", "--tags", "x"];
  expect(readOptions(argv)).toEqual({ command: "up", args: argv, tags: [], skipTags: [], limit: [], stack: undefined });
});

test("what is ours is taken out: lists, repeated or with blanks", () => {
  const options = readOptions([
    "up",
    "--tags",
    "image, vm",
    "--yes",
    "--tags=clones",
    "--limit=web,db-1",
    "--skip-tags",
    "vm",
  ]);
  expect(options).toMatchObject({
    args: ["up", "--yes"],
    tags: ["image", "vm", "clones"],
    limit: ["web", "db-1"],
    skipTags: ["vm"],
  });
});

test.each([[["--stack", "home"]], [["--stack=home"]], [["-s", "home"]]])(
  "the stack is known, and Pulumi gets it: %j",
  (given) => {
    expect(readOptions(["up", ...given, "--diff"])).toMatchObject({
      stack: "home",
      args: ["up", "--stack", "home", "--diff"],
    });
  },
);

test("other commands keep options of these names", () => {
  expect(readOptions(["logs", "--limit", "5"])).toMatchObject({ args: ["logs", "--limit", "5"], limit: [] });
});

test.each(["--tags", "--skip-tags", "--limit", "--stack"])("%s without a value is refused", (option) => {
  expect(() => readOptions(["up", option, "--yes"])).toThrow(`${option}: expected a value`);
  expect(() => readOptions(["up", option])).toThrow(`${option}: expected a value`);
});

test("Pulumi's other names of its commands are known", () => {
  expect(["pre", "update", "down", "dn", "refresh", "stack", undefined].map(runOf)).toEqual([
    "preview",
    "up",
    "destroy",
    "destroy",
    "refresh",
    undefined,
    undefined,
  ]);
});
