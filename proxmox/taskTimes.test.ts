import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { PveClient } from "./client.ts";
import { Looks, TaskTimes, timesOf } from "./taskTimes.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => vi.useRealTimers());

/** A task that is waited for: when it was looked at, in milliseconds after its start, the last time at or after its end. */
type Watched = number[];

interface Watch {
  longest?: number;
  contended?: boolean;
  fails?: boolean;
}

/** Waits for a task that is over when `isOver` says so. */
async function waitFor(times: TaskTimes, isOver: (elapsed: number) => boolean, how: Watch = {}): Promise<Watched> {
  const { longest = 5000, contended = false, fails = false } = how;
  const start = performance.now();
  const looks = new Looks(times, longest, contended);
  const at: Watched = [];
  for (;;) {
    await looks.due();
    const elapsed = performance.now() - start;
    at.push(elapsed);
    if (isOver(elapsed)) break;
    looks.running();
  }
  if (!fails) looks.ended();
  looks.close();
  return at;
}

/** What comes of it, with time going as fast as something happens. */
async function quickly<T>(result: Promise<T>): Promise<T> {
  let over = false;
  const done = result.finally(() => {
    over = true;
  });
  for (await vi.advanceTimersByTimeAsync(0); !over; ) await vi.advanceTimersToNextTimerAsync();
  return done;
}

const watch = (times: TaskTimes, ms: number, how?: Watch) => quickly(waitFor(times, (elapsed) => elapsed >= ms, how));

async function watchAll(times: TaskTimes, all: number[]): Promise<Watched[]> {
  const watched: Watched[] = [];
  for (const ms of all) watched.push(await watch(times, ms));
  return watched;
}

async function timesAfter(...all: number[]): Promise<TaskTimes> {
  const times = new TaskTimes();
  await watchAll(times, all);
  return times;
}

const last = (at: Watched): number => at.at(-1) ?? 0;

/** 3 s, 20 % more or less; the same ones each time. */
const vary = (count: number) =>
  Array.from({ length: count }, (_, index) => 3000 * (0.8 + 0.4 * ((index * 0.618034) % 1)));

const gaps = (at: Watched) => at.map((ms, index) => ms - (at[index - 1] ?? 0));

describe("looking at tasks", () => {
  it("takes two looks or so for tasks whose time is known, and sees their end without delay", async () => {
    const times = await timesAfter(...vary(5));
    const all = vary(200);
    const looks = await watchAll(times, all);
    const late = looks.reduce((sum, at, index) => sum + last(at) - (all[index] ?? 0), 0);
    const total = all.reduce((sum, ms) => sum + ms, 0);
    expect(looks.flat().length / all.length).toBeLessThanOrEqual(2.5);
    expect(late / total).toBeLessThanOrEqual(0.1);
  });

  it("begins at once and in short steps if nothing is known", async () => {
    const at = await watch(new TaskTimes(), 400);
    expect(at.slice(0, 4)).toEqual([0, 30, 60, 120]);
  });

  it("goes on at once where tasks end at once, even after one that was slow", async () => {
    const times = await timesAfter(0, 0, 0, 3000);
    expect(await watchAll(times, [0, 0, 0])).toEqual([[0], [0], [0]]);
  });

  it("is soon quick again when slow tasks become instant ones", async () => {
    const times = await timesAfter(3000, 3000, 3000);
    const all = await watchAll(times, Array(8).fill(0));
    expect(last(all.at(-1) ?? [])).toBeLessThan(50);
  });

  it("soon takes few looks when instant tasks become slow ones", async () => {
    const times = await timesAfter(0, 0, 0, 3000, 3000);
    expect((await watch(times, 3000)).length).toBeLessThan(3);
  });

  it("is not misled by one task that takes long, nor by one that ends at once", async () => {
    for (const odd of [0, 60_000]) {
      const times = await timesAfter(3000, 3000, 3000, odd);
      expect(times.expected).toBeGreaterThan(2000);
      expect(times.expected).toBeLessThan(3500);
    }
  });

  it("sees a failure within five seconds, however long such tasks take", async () => {
    const times = await timesAfter(600_000, 600_000, 600_000);
    expect(Math.max(...gaps(await watch(times, 700_000)))).toBeLessThanOrEqual(5000);
  });

  it("is as frequent as its caller wants", async () => {
    const times = await timesAfter(60_000, 60_000, 60_000);
    expect(Math.max(...gaps(await watch(times, 70_000, { longest: 1000 })))).toBeLessThanOrEqual(1000);
  });

  it("pauses for half a second at most while a task whose time is not known is young", async () => {
    expect(Math.max(...gaps(await watch(new TaskTimes(), 4900)))).toBeLessThanOrEqual(500);
  });
});

describe("tasks side by side", () => {
  const side = (times: TaskTimes, all: number[], how?: Watch) =>
    quickly(Promise.all(all.map((ms) => waitFor(times, (elapsed) => elapsed >= ms, how))));

  it("learn but once when they had all ended at the first look", async () => {
    const times = await timesAfter(3000, 3000, 3000);
    await side(times, Array(10).fill(0));
    expect(times.expected).toBe((await timesAfter(3000, 3000, 3000, 0)).expected);
  });

  it("need one that looks often while nothing is known, and the others see their end with it", async () => {
    const [scout, ...others] = await side(new TaskTimes(), Array(6).fill(1650));
    expect(last(scout ?? [])).toBeLessThan(2200);
    for (const at of others) expect(at).toEqual([last(scout ?? [])]);
  });

  it("are looked at within five seconds though the one that looks often takes for ever", async () => {
    const [, quick] = await side(new TaskTimes(), [60_000, 100]);
    expect(quick).toEqual([5000]);
  });

  it("are not held up for long by one that hangs, nor is what they take forgotten for it", async () => {
    const times = new TaskTimes();
    const hanging = waitFor(times, (elapsed) => elapsed >= 60_000);
    const others = await quickly(Promise.all(Array.from({ length: 9 }, () => waitFor(times, (ms) => ms >= 1500))));
    for (const at of others) expect(last(at)).toBeLessThanOrEqual(5000);
    const next = await watchAll(times, Array(8).fill(1500));
    for (const at of next) expect(last(at)).toBeLessThan(2000);
    await quickly(hanging);
  });

  it("have another one look often when that one fails", async () => {
    const times = new TaskTimes();
    const scout = waitFor(times, (elapsed) => elapsed >= 100, { fails: true });
    const other = waitFor(times, (elapsed) => elapsed >= 900);
    await quickly(scout);
    const at = await quickly(other);
    expect(last(at)).toBeLessThan(1400);
  });

  /**
   * Tasks that need a lock for 700 ms each and get it in slices, at most six at a time: how often they were looked at, and
   * how much later than possible the last one was seen to have ended.
   */
  async function locked(times: TaskTimes, count: number) {
    const start = performance.now();
    const running = new Set<{ left: number; end: number }>();
    let since = start;
    const goOn = () => {
      // Shared fairly: whoever has the least left ends first, and then there are fewer.
      for (let time = performance.now() - since; ; ) {
        const active = [...running].filter(({ left }) => left > 0);
        const next = active.toSorted((one, other) => one.left - other.left)[0];
        if (!next || time <= 0) break;
        const passes = Math.min(time, next.left * active.length);
        for (const task of active) task.left -= passes / active.length;
        time -= passes;
      }
      since = performance.now();
    };
    let begun = 0;
    let looks = 0;
    const worker = async () => {
      while (begun < count) {
        begun += 1;
        goOn();
        const task = { left: 700, end: 0 };
        running.add(task);
        const isOver = () => {
          goOn();
          return task.left <= 1e-6;
        };
        looks += (await waitFor(times, isOver, { contended: true })).length;
        running.delete(task);
      }
    };
    await quickly(Promise.all(Array.from({ length: 6 }, worker)));
    return { looks: looks / count, late: performance.now() - start - 700 * count };
  }

  it("that wait for a lock are seen to end in time, many or few, also the last ones", async () => {
    const times = new TaskTimes();
    for (const [count, looks] of [
      [10, 5],
      [100, 3.2],
      [6, 4],
      [1, 6],
    ] as const) {
      const came = await locked(times, count);
      expect(came.looks).toBeLessThanOrEqual(looks);
      expect(came.late).toBeLessThan(1000 + 30 * count);
    }
  });
});

it("what is known belongs to a client and a kind of task", () => {
  const [one, other] = [{} as PveClient, {} as PveClient];
  expect(timesOf(one, "pve1 qmclone")).toBe(timesOf(one, "pve1 qmclone"));
  expect(timesOf(one, "pve1 qmclone")).not.toBe(timesOf(one, "pve2 qmclone"));
  expect(timesOf(one, "pve1 qmclone")).not.toBe(timesOf(other, "pve1 qmclone"));
});
