import type { PveClient } from "./client.ts";

/** Shortest pause between two looks at a task, in milliseconds. */
const LEAST = 30;

/** How close to each other the looks are when the end is near, as a part of the time that the task should take. */
const STEP = 0.08;

/** How much earlier the next task is looked at when one had ended at the first look already. */
const EARLIER = 0.05;

/**
 * How long tasks of one kind take, by what was seen of the last three: the middle one, so that one that is slow for once
 * changes nothing.
 */
export class TaskTimes {
  #last: number[] = [];
  #inARow = 0;

  /** Milliseconds that the next one should take; 0: nothing is known, or they end at once. */
  get expected(): number {
    return this.#last.toSorted((one, other) => one - other)[(this.#last.length - 1) >> 1] ?? 0;
  }

  /** A task was seen to run `after` milliseconds and to have ended at `by`. */
  endedBetween(after: number, by: number): void {
    this.#inARow = 0;
    this.#last = [...this.#last, (after + by) / 2].slice(-3);
  }

  /**
   * A task had ended at the first look, after `by` milliseconds. How long it took only an earlier look could tell, so the
   * next one has it; the more of them in a row, the earlier.
   */
  endedBefore(by: number): void {
    // Those that wait side by side began with the same knowledge: the first of them has told this already.
    if (by > this.expected) return;
    const less = by * Math.max(0.2, 1 - EARLIER * 2 ** this.#inARow++);
    this.#last = this.#last.length > 0 ? this.#last.map((ms) => Math.min(ms, less)) : [by];
  }
}

/** When to look at a task: about when it should be over, and then in short steps that grow. */
export class Looks {
  /** Milliseconds until the first look. */
  readonly first: number;
  readonly #times: TaskTimes;
  readonly #expected: number;
  readonly #longest: number;
  #seenRunning: number | undefined;

  /** @param longest longest pause in milliseconds: a failure that comes early is seen so late */
  constructor(times: TaskTimes, longest: number) {
    this.#times = times;
    this.#expected = times.expected;
    this.#longest = longest;
    this.first = Math.min(this.#expected, longest);
  }

  /** Milliseconds until the next look at a task that was seen to run `elapsed` milliseconds after its start. */
  next(elapsed: number): number {
    this.#seenRunning = elapsed;
    const left = this.#expected - elapsed;
    if (left >= LEAST) return Math.min(left, this.#longest);
    // Doubles the time that it is late, as if nothing were known, but not so that a long task is seen late.
    const step = Math.max(LEAST, STEP * this.#expected, -left);
    return Math.min(step, Math.max(1000, elapsed / 10), this.#longest);
  }

  /** The task has done its work, and was seen to have ended `elapsed` milliseconds after its start. */
  ended(elapsed: number): void {
    if (this.#seenRunning === undefined) this.#times.endedBefore(this.first);
    else this.#times.endedBetween(this.#seenRunning, elapsed);
  }
}

const known = new WeakMap<PveClient, Map<string, TaskTimes>>();

/** What this run knows of tasks of a kind; another name of a kind, another knowledge. */
export function timesOf(client: PveClient, kind: string): TaskTimes {
  const byKind = known.get(client) ?? new Map<string, TaskTimes>();
  known.set(client, byKind);
  const times = byKind.get(kind) ?? new TaskTimes();
  byKind.set(kind, times);
  return times;
}
