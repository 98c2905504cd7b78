import { expect, test } from "vitest";
import type { Result } from "../result.ts";
import { chart } from "./chart.ts";
import { asJson } from "./save.ts";
import { spreadOf, summarize } from "./statistics.ts";
import { tables } from "./table.ts";

const result = (change: Partial<Result>): Result => ({
  contender: "ours",
  clones: 10,
  conditions: "node",
  phase: "first",
  run: 1,
  wallSeconds: 2,
  cpuSeconds: 1,
  peakMemoryBytes: 300 * 2 ** 20,
  requests: 90,
  requestsPerClone: 7,
  stateBytesPerClone: 4000,
  failedClones: 0,
  ...change,
});
const results = [
  result({ phase: "second", wallSeconds: 1 }),
  result({ wallSeconds: 9 }),
  result({ run: 2, wallSeconds: 3 }),
  result({ run: 3, wallSeconds: 4, failedClones: 2 }),
  result({ contender: "ansible-free", stateBytesPerClone: null, wallSeconds: 77 }),
];

test("the median of an even number of runs lies between the two in the middle", () => {
  expect(spreadOf([9, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 9 });
});

test("a table for each phase in their order, with median and spread, and a dash for what there is not", () => {
  const text = tables(summarize(results));
  expect(text.match(/^### .*/gm)).toEqual(["### node, 10 clones: first", "### node, 10 clones: second"]);
  expect(text).toContain("| ours | 4.0 (3.0–9.0) | 1.0 | 300 | 90 | 7.0 | 4000 | 0 (0–2) |");
  expect(text).toContain("| ansible-free | 77.0 | 1.0 | 300 | 90 | 7.0 | – | 0 |");
});

test("the chart shows every contender's median", () => {
  const svg = chart(summarize(results));
  expect(svg).toMatch(/^<svg/);
  for (const text of ["ours", "ansible-free", "node, 10 clones", ">77<", ">4<"]) expect(svg).toContain(text);
});

test("the chart has the phases that were measured, and no others", () => {
  const svg = chart(summarize(results));
  for (const text of [">first<", ">second<"]) expect(svg).toContain(text);
  for (const text of [">preview<", ">grow<", ">destroy<"]) expect(svg).not.toContain(text);
});

test("a chart of nothing is one, too: the first contender may fail", () => {
  expect(chart([])).toMatch(/^<svg/);
});

test("saved results can be read again", () => {
  expect(JSON.parse(asJson(results))).toEqual(results);
  expect(JSON.parse(asJson([]))).toEqual([]);
});
