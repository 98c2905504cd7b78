import { expect, it } from "vitest";
import { SetsProgress } from "./setProgress.ts";

/** Works on clones of a set, some at a time, and gives what is said, each with the second. */
function work(count: number, { atATime = 6, seconds = 6, fails = [] as number[] } = {}): string[] {
  let now = 0;
  const progress = new SetsProgress(() => now);
  const said: string[] = [];
  for (let vmId = 1; vmId <= count; vmId++) progress.expect("web", vmId);
  for (let first = 1; first <= count; first += atATime) {
    const batch = Array.from({ length: Math.min(atATime, count - first + 1) }, (_, index) => first + index);
    for (const vmId of batch) progress.begin("web", vmId);
    now += seconds * 1000;
    for (const vmId of batch) {
      const text = progress.end("web", vmId, !fails.includes(vmId));
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

it("speaks of each set for itself", () => {
  let now = 0;
  const progress = new SetsProgress(() => now);
  for (const vmId of [1, 2, 3]) progress.begin("web", vmId);
  progress.begin("db", 9);
  now = 20_000;
  expect(progress.end("web", 1, true, "done")).toBe("1 of 3 done, 3 at a time, about 10 s");
  expect(progress.end("db", 9, true)).toBeUndefined();
});
