import { expect, test } from "vitest";
import { didYouMean, list, pathText } from "./text.ts";

test("lists in words", () => {
  expect([list([]), list(["a"]), list(["a", "b"]), list(["a", "b", "c"], "or")]).toEqual([
    "",
    "a",
    "a and b",
    "a, b or c",
  ]);
});

test("a path as it is written in YAML tools", () => {
  expect(pathText(["templates", "noble", "nics", 0, "bridge"])).toBe("templates.noble.nics[0].bridge");
});

test("a near word is taken for the one that was meant, a far one is not", () => {
  expect(didYouMean("memoryMB", ["memoryMiB", "machine"])).toBe("memoryMiB");
  expect(didYouMean("nobel", ["noble", "trixie"])).toBe("noble");
  expect(didYouMean("MemoryMiB", ["memoryMiB"])).toBe("memoryMiB");
  expect(didYouMean("on", ["enabled", "version"])).toBeUndefined();
  expect(didYouMean("x", [])).toBeUndefined();
});
