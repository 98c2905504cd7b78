import { expect, it } from "vitest";
import { SetsProgress } from "./setProgress.ts";

/**
 * Works on clones of a set, some at a time, and gives what is said, each with the second. As with the engine, nobody knows of a
 * clone before it is its turn.
 */
function work(count: number, { atATime = 6, seconds = 6, fails = [] as number[], unchanged = [] as number[] } = {}) {
  let now = 0;
  const progress = new SetsProgress(() => now);
  const said: string[] = [];
  const todo = Array.from({ length: count }, (_, index) => index + 1);
  while (todo.length > 0) {
    const batch: number[] = [];
    while (todo.length > 0 && batch.length < atATime) {
      const vmId = todo.shift() ?? 0;
      if (unchanged.includes(vmId)) progress.unchanged("web", vmId);
      else batch.push(vmId);
    }
    for (const vmId of batch) progress.begin("web", vmId);
    now += seconds * 1000;
    for (const vmId of batch) {
      const text = progress.end("web", vmId, { good: !fails.includes(vmId), total: () => count });
      if (text) said.push(`${now / 1000} s: ${text}`);
    }
  }
  return said;
}

it("says now and then how many are ready, how many are worked on, and how long the rest takes", () => {
  expect(work(50)).toEqual([
    "12 s: 7 of 50 ready, 6 at a time, about 50 s",
    "24 s: 19 of 50 ready, 6 at a time, about 30 s",
    "36 s: 31 of 50 ready, 6 at a time, about 20 s",
    "48 s: 43 of 50 ready, 6 at a time, about 5 s",
    "54 s: 50 of 50 ready",
  ]);
});

it("says nothing of a set that is made in a moment", () => {
  expect(work(6)).toEqual([]);
  expect(work(50, { seconds: 0.5 })).toEqual([]);
  expect(work(1, { seconds: 300 })).toEqual([]);
});

it("says of a thousand clones no more than of fifty: a twentieth at a time", () => {
  const said = work(1000, { atATime: 8, seconds: 20 });
  expect(said.length).toBeLessThanOrEqual(21);
  expect(said[0]).toBe("140 s: 50 of 1000 ready, 8 at a time, about 42 min");
});

it("counts those that failed, or are not ready, for themselves", () => {
  expect(work(50, { fails: [2, 3] })[0]).toBe("12 s: 5 of 50 ready, 2 not, 6 at a time, about 50 s");
  expect(work(50, { fails: [50] }).at(-1)).toBe("54 s: 49 of 50 ready, 1 not");
});

it("counts those that nothing has to be done for as ready, and expects as many among those that are to come", () => {
  const even = Array.from({ length: 25 }, (_, index) => 2 * index + 2);
  expect(work(50, { unchanged: even })).toEqual([
    "12 s: 18 of 50 ready, 6 at a time, about 20 s",
    "24 s: 42 of 50 ready, 6 at a time, about 5 s",
    "30 s: 50 of 50 ready",
  ]);
});

it("speaks of each set for itself, and of all that it has seen where nobody knows how many there are", () => {
  let now = 0;
  const progress = new SetsProgress(() => now);
  for (const vmId of [1, 2, 3]) progress.begin("web", vmId);
  progress.begin("db", 9);
  now = 20_000;
  expect(progress.end("web", 1, { good: true, word: "done" })).toBe("1 of 3 done, 3 at a time, about 10 s");
  expect(progress.end("db", 9, { good: true })).toBeUndefined();
});
