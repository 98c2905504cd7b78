/** How many of the last durations of a kind are kept. */
const KEPT = 5;

/** How long tasks took lately, by kind, in milliseconds. */
export class TaskDurations {
  readonly #last = new Map<string, number[]>();

  add(kind: string, ms: number): void {
    this.#last.set(kind, [...(this.#last.get(kind) ?? []), ms].slice(-KEPT));
  }

  /** The median of the last ones: one that is slow for once changes nothing. undefined: nothing is known. */
  expected(kind: string): number | undefined {
    return this.#last.get(kind)?.toSorted((a, b) => a - b)[(this.#last.get(kind)?.length ?? 0) >> 1];
  }
}

/** Shortest pause before a look at a task, in milliseconds. */
const SHORTEST = 30;

/** Steps between looks: as long as the task is old, up to this many milliseconds, and no less than this part of its age. */
const STEP_MS = 250;
const STEP = 0.1;

const within = (ms: number, shortest: number, longest: number) => Math.min(Math.max(ms, shortest), longest);

/**
 * When to look at a task next, in milliseconds from now: shortly before it should be over, and then in steps that grow with
 * its age, so that a task that takes long costs few requests and one that is quick is seen to end soon.
 *
 * @param age milliseconds since the task began
 * @param expected what such tasks took lately; 0: nothing is known
 * @param longest longest pause: a failure that comes early is seen so late
 */
export function nextLook(age: number, expected: number, longest: number): number {
  const first = 0.9 * expected;
  const step = Math.max(Math.min(age, STEP_MS), STEP * age);
  return within(age < first ? first - age : step, SHORTEST, longest);
}
