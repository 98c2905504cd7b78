import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { TaskWatch } from "./taskWatch.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A node whose tasks run until they are ended, and who waits for them. */
function node(...upids: string[]) {
  const running = new Set(upids);
  const told: string[] = [];
  let lists = 0;
  let fails = false;
  const watch = new TaskWatch(async () => {
    lists++;
    if (fails) throw new Error("the node does not answer");
    return new Set(running);
  });
  return {
    running,
    told,
    lists: () => lists,
    fail: () => {
      fails = true;
    },
    wait: (upid: string, { expected = 1000, atMost = 5000 } = {}) =>
      void watch.ended(upid, { begun: performance.now(), expected, atMost }).then(() => told.push(upid)),
  };
}

it("one list tells of all tasks which have ended", async () => {
  const { wait, running, told, lists } = node("a", "b", "c");
  for (const upid of ["a", "b", "c"]) wait(upid);
  running.delete("a");
  running.delete("c");
  await vi.advanceTimersByTimeAsync(900);
  expect(lists()).toBe(1);
  expect(told).toEqual(["a", "c"]);
  running.delete("b");
  await vi.advanceTimersByTimeAsync(300);
  expect(told).toEqual(["a", "c", "b"]);
});

it("nothing is asked while nothing is waited for", async () => {
  const { wait, running, told, lists } = node("a");
  wait("a");
  running.delete("a");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual(["a"]);
  expect(lists()).toBe(1);
});

it("a task that should be over sooner than those that are waited for is looked at sooner", async () => {
  const { wait, running, told } = node("slow", "quick");
  wait("slow", { expected: 4000 });
  await vi.advanceTimersByTimeAsync(100);
  wait("quick", { expected: 500 });
  running.delete("quick");
  await vi.advanceTimersByTimeAsync(450);
  expect(told).toEqual(["quick"]);
});

it("tasks that begin one after the other do not make the lists more frequent", async () => {
  const { wait, lists } = node(...Array.from({ length: 40 }, (_, n) => `${n}`));
  for (let n = 0; n < 40; n++) {
    wait(`${n}`, { expected: 500 });
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(lists()).toBeLessThanOrEqual(2000 / 250 + 1);
});

it("a task that begins while the list is on its way is not taken to have ended", async () => {
  const told: string[] = [];
  let answer = (_running: Set<string>) => {};
  const watch = new TaskWatch(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  const wait = (upid: string) =>
    void watch.ended(upid, { begun: performance.now(), expected: 0, atMost: 5000 }).then(() => told.push(upid));
  wait("a");
  await vi.advanceTimersByTimeAsync(30);
  wait("b");
  answer(new Set(["a"]));
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual([]);
});

it("a task is waited for no longer than was said, even if the node lists it", async () => {
  const { wait, told } = node("a");
  wait("a", { expected: 1000, atMost: 2000 });
  await vi.advanceTimersByTimeAsync(2300);
  expect(told).toEqual(["a"]);
});

it("where the node cannot tell, everybody has to look himself", async () => {
  const { wait, told, fail } = node("a", "b");
  wait("a");
  wait("b");
  fail();
  await vi.advanceTimersByTimeAsync(900);
  expect(told).toEqual(["a", "b"]);
});

it("a list that does not come holds nobody up for ever, nor what begins meanwhile", async () => {
  const told: string[] = [];
  const watch = new TaskWatch(() => new Promise(() => {}));
  const wait = (upid: string) =>
    void watch.ended(upid, { begun: performance.now(), expected: 500, atMost: 5000 }).then(() => told.push(upid));
  wait("a");
  await vi.advanceTimersByTimeAsync(1000);
  wait("b");
  await vi.advanceTimersByTimeAsync(4500);
  expect(told).toEqual(["a"]);
  await vi.advanceTimersByTimeAsync(6000);
  expect(told).toEqual(["a", "b"]);
});

it("kinds of which nothing is known do not make the lists more frequent than ten a second", async () => {
  const { wait, lists } = node(...Array.from({ length: 40 }, (_, n) => `${n}`));
  for (let n = 0; n < 40; n++) {
    wait(`${n}`, { expected: 0 });
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(lists()).toBeLessThanOrEqual(21);
});
