import { expect, it } from "vitest";
import { shortNames } from "./shortNames.ts";

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const web = (from: number, to: number) => numbers(from, to).map((n) => `web-${n}`);

it("names that count up are written as a range", () => {
  expect(shortNames(web(1, 50))).toBe("web-1 … web-50");
  expect(shortNames(["web-08", "web-09", "web-10"])).toBe("web-08 … web-10");
  expect(shortNames(["n1.lan", "n2.lan", "n3.lan", "db"])).toBe("n1.lan … n3.lan, db");
});

it("one or two names are written out, and so are names that only look alike", () => {
  expect(shortNames([])).toBe("");
  expect(shortNames(["db"])).toBe("db");
  expect(shortNames(web(1, 2))).toBe("web-1, web-2");
  expect(shortNames(["web-9", "web-010", "web-11"])).toBe("web-9, web-010, web-11");
  expect(shortNames(["a1", "b2", "c3"])).toBe("a1, b2, c3");
});

it("a gap ends a range", () => {
  expect(shortNames([...web(1, 4), ...web(6, 9)])).toBe("web-1 … web-4, web-6 … web-9");
});

it("of many that do not count up, the first are written and the rest is counted", () => {
  const odd = numbers(0, 499).map((n) => `web-${2 * n + 1}`);
  expect(shortNames(odd)).toBe("web-1, web-3, web-5, web-7, web-9, web-11 and 494 more");
  expect(shortNames(odd.slice(0, 7))).toBe("web-1, web-3, web-5, web-7, web-9, web-11, web-13");
});
