import { expect, test } from "vitest";
import { ranges } from "./ranges.ts";

test("numbers in a row are a range, in whatever order they come", () => {
  expect(ranges([5, 3, 1, 2, 9, 8])).toBe("1 to 3, 5, 8 to 9");
});
