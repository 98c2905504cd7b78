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

/** Shortest pause between two looks at a task, in milliseconds. */
const SHORTEST = 30;

/** How much longer each pause is than the one before while nothing is known. */
const GROWTH = 1.5;

/**
 * When to look at a task next, in milliseconds from now: shortly before it should be over, and then in steps that grow with
 * its age, so that a task that takes long costs few requests and one that is quick is seen to end at once.
 *
 * @param age milliseconds since the task began
 * @param expected what such tasks took lately
 * @param longest longest pause: a failure that comes early is seen so late
 */
export function nextLook(age: number, expected: number | undefined, longest: number): number {
  const first = 0.9 * (expected ?? 0);
  const pause =
    age < first ? first - age : expected === undefined ? age * (GROWTH - 1) : Math.max(0.2 * expected, 0.2 * age);
  return Math.min(Math.max(pause, SHORTEST), longest);
}
