import { describe, expect, it } from "vitest";
import type { PveClient } from "./client.ts";
import { Looks, TaskTimes, timesOf } from "./taskTimes.ts";

/** Waits for a task that takes `ms`, in simulated time: when it was looked at, the last time at or after its end. */
function watch(times: TaskTimes, ms: number, longest = 5000): number[] {
  const looks = new Looks(times, longest);
  const at = [looks.first];
  for (let elapsed = looks.first; elapsed < ms; at.push(elapsed)) elapsed += looks.next(elapsed);
  looks.ended(at.at(-1) ?? 0);
  return at;
}

/** How late the end of each of some tasks, one after the other, is seen. */
const lateness = (times: TaskTimes, all: number[]) => all.map((ms) => (watch(times, ms).at(-1) ?? 0) - ms);

function timesAfter(...all: number[]): TaskTimes {
  const times = new TaskTimes();
  for (const ms of all) watch(times, ms);
  return times;
}

/** 3 s, 20 % more or less; the same ones each time. */
const vary = (count: number) =>
  Array.from({ length: count }, (_, index) => 3000 * (0.8 + 0.4 * ((index * 0.618034) % 1)));

const gaps = (at: number[]) => at.map((ms, index) => ms - (at[index - 1] ?? 0));

describe("looking at tasks", () => {
  it("takes two looks or so for tasks whose time is known, and sees their end without delay", () => {
    const times = timesAfter(...vary(5));
    const all = vary(200);
    const looks = all.map((ms) => watch(times, ms));
    const late = looks.reduce((sum, at, index) => sum + (at.at(-1) ?? 0) - (all[index] ?? 0), 0);
    const total = all.reduce((sum, ms) => sum + ms, 0);
    expect(looks.flat().length / all.length).toBeLessThanOrEqual(2.5);
    expect(late / total).toBeLessThanOrEqual(0.1);
  });

  it("begins at once and in short steps if nothing is known", () => {
    const at = watch(new TaskTimes(), 400);
    expect(at.slice(0, 4)).toEqual([0, 30, 60, 120]);
  });

  it("goes on at once where tasks end at once, even after one that was slow", () => {
    const times = timesAfter(0, 0, 0, 3000);
    expect(lateness(times, [0, 0, 0])).toEqual([0, 0, 0]);
  });

  it("is soon quick again when slow tasks become instant ones", () => {
    const times = timesAfter(3000, 3000, 3000);
    const late = lateness(times, Array(8).fill(0));
    expect(late.at(-1)).toBeLessThan(50);
  });

  it("soon takes few looks when instant tasks become slow ones", () => {
    const times = timesAfter(0, 0, 0, 3000, 3000);
    expect(watch(times, 3000).length).toBeLessThan(3);
  });

  it("is not misled by one task that takes long, nor by one that ends at once", () => {
    for (const odd of [0, 60_000]) {
      const times = timesAfter(3000, 3000, 3000, odd);
      expect(times.expected).toBeGreaterThan(2000);
      expect(times.expected).toBeLessThan(3500);
    }
  });

  it("learns but once from tasks that ran side by side and had ended when first looked at", () => {
    const times = timesAfter(3000, 3000, 3000);
    const crowd = Array.from({ length: 10 }, () => new Looks(times, 5000));
    for (const looks of crowd) looks.ended(looks.first);
    expect(times.expected).toBe(timesAfter(3000, 3000, 3000, 0).expected);
  });

  it("sees a failure within five seconds, however long such tasks take", () => {
    const times = timesAfter(600_000, 600_000, 600_000);
    expect(Math.max(...gaps(watch(times, 700_000)))).toBeLessThanOrEqual(5000);
  });

  it("is as frequent as its caller wants", () => {
    const times = timesAfter(60_000, 60_000, 60_000);
    expect(Math.max(...gaps(watch(times, 70_000, 1000)))).toBeLessThanOrEqual(1000);
  });

  it("pauses for a second at most while a task whose time is not known is young", () => {
    expect(Math.max(...gaps(watch(new TaskTimes(), 9000)))).toBeLessThanOrEqual(1000);
  });
});

it("what is known belongs to a client and a kind of task", () => {
  const [one, other] = [{} as PveClient, {} as PveClient];
  expect(timesOf(one, "pve1 qmclone")).toBe(timesOf(one, "pve1 qmclone"));
  expect(timesOf(one, "pve1 qmclone")).not.toBe(timesOf(one, "pve2 qmclone"));
  expect(timesOf(one, "pve1 qmclone")).not.toBe(timesOf(other, "pve1 qmclone"));
});
