import { expect, test } from "vitest";
import { phases } from "./contender.ts";
import { stepsTo } from "./steps.ts";

/** In brackets: done, not measured. */
const way = (...chosen: Parameters<typeof stepsTo>[0]) =>
  stepsTo(chosen).map(({ phase, measured }) => (measured ? phase : `(${phase})`));

test("all phases are measured if all are chosen", () => {
  expect(way(...phases)).toEqual(phases);
});

test("what a phase needs is done before it, uncounted, and nothing after it", () => {
  expect(way("second", "preview")).toEqual(["(first)", "second", "preview"]);
  expect(way("preview", "first")).toEqual(["first", "preview"]);
  expect(way("grow")).toEqual(["(first)", "grow"]);
});

test("destroy is always of the fleet that has grown", () => {
  expect(way("destroy")).toEqual(["(first)", "(grow)", "destroy"]);
  expect(way("first", "destroy")).toEqual(["first", "(grow)", "destroy"]);
});
