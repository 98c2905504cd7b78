import { describe, expect, it } from "vitest";
import { nextLook, TaskDurations } from "./taskDurations.ts";

describe("how long tasks take", () => {
  it("is not known of a kind that nobody has waited for", () => {
    expect(new TaskDurations().expected("pve1 qmclone")).toBeUndefined();
  });

  it("is the median of the last five: one that is slow for once changes nothing, and old ones are forgotten", () => {
    const durations = new TaskDurations();
    for (const ms of [400, 9000, 500]) durations.add("pve1 qmclone", ms);
    expect(durations.expected("pve1 qmclone")).toBe(500);
    for (const ms of [100, 100, 100]) durations.add("pve1 qmclone", ms);
    expect(durations.expected("pve1 qmclone")).toBe(100);
    expect(durations.expected("pve2 qmclone")).toBeUndefined();
  });
});

/** When a task is looked at, in milliseconds after its begin, until it has ended. */
function looks(ends: number, expected: number, longest = 5000): number[] {
  const at: number[] = [];
  for (let age = 0; age < ends; ) {
    age += nextLook(age, expected, longest);
    at.push(Math.round(age));
  }
  return at;
}

const pauses = (at: number[]) => at.map((time, index) => time - (at[index - 1] ?? 0));

describe("a task is looked at", () => {
  it("first when it should nearly be over, and then every few tenths of a second", () => {
    expect(looks(1000, 1000)).toEqual([900, 1150]);
    expect(looks(1500, 1000)).toEqual([900, 1150, 1400, 1650]);
  });

  it("at once, and ever more seldom, while nobody knows how long it takes", () => {
    const at = looks(10_000, 0);
    expect(at.slice(0, 6)).toEqual([30, 60, 120, 240, 480, 730]);
    expect(pauses(at)).toEqual(pauses(at).toSorted((one, other) => one - other));
    expect(at.length).toBeLessThan(30);
  });

  it("no sooner than after 30 ms, however quick such tasks are", () => {
    expect(nextLook(0, 1, 5000)).toBe(30);
    expect(nextLook(2, 1, 5000)).toBe(30);
  });

  it("no later than the longest pause: a failure may come early", () => {
    expect(looks(12_000, 60_000)).toEqual([5000, 10_000, 15_000]);
    expect(nextLook(0, 60_000, 1000)).toBe(1000);
  });

  it("seldom when it takes much longer than expected", () => {
    expect(looks(600_000, 1000, 60_000).length).toBeLessThan(75);
  });
});
