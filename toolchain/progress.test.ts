import { expect, test } from "vitest";
import { duration, plainProgress } from "./progress.ts";

test("durations as people say them", () => {
  expect([400, 5_000, 65_000, 600_000].map(duration)).toEqual(["0s", "5s", "1m05s", "10m00s"]);
});

test("without a terminal a status is a line, but not more often than every few seconds", () => {
  const lines: string[] = [];
  let now = 0;
  const progress = plainProgress(
    (line) => lines.push(line),
    5_000,
    () => now,
  );
  progress.line("begins");
  for (now = 1_000; now <= 12_000; now += 1_000) progress.status(`at ${now / 1_000}s`);
  progress.line("ends");
  expect(lines).toEqual(["begins", "at 5s", "at 10s", "ends"]);
});
