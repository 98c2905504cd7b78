/** How many of the last durations of a kind are kept. */
const KEPT = 5;

/** How long tasks took lately, by kind, in milliseconds. */
export class TaskDurations {
  readonly #last = new Map<string, number[]>();
  readonly #first = new Map<string, PromiseWithResolvers<void>>();

  add(kind: string, ms: number): void {
    this.#last.set(kind, [...(this.#last.get(kind) ?? []), ms].slice(-KEPT));
  }

  /**
   * Of a kind of which nothing is known, one task is looked at, and the others wait for it: each knows then how long it takes.
   *
   * @returns undefined for the first; for the others, what resolves when that one has ended
   */
  afterFirst(kind: string): Promise<void> | undefined {
    const first = this.#first.get(kind);
    if (!first) this.#first.set(kind, Promise.withResolvers());
    return first?.promise;
  }

  /** The first one has ended, well or not. */
  firstEnded(kind: string): void {
    this.#first.get(kind)?.resolve();
  }

  /** The median of the last ones: one that is slow for once changes nothing. undefined: nothing is known. */
  expected(kind: string): number | undefined {
    return this.#last.get(kind)?.toSorted((a, b) => a - b)[(this.#last.get(kind)?.length ?? 0) >> 1];
  }
}

/** Shortest pause between two looks at a task, in milliseconds. */
const SHORTEST = 30;

/** Pauses while nothing is known of a kind, in milliseconds: each is three times the task's age, within these. */
const UNKNOWN = { shortest: 200, longest: 1500 };

/** Steps after the first look, as a part of what such tasks take and of the task's own age. */
const STEP = 0.3;

const within = (ms: number, shortest: number, longest: number) => Math.min(Math.max(ms, shortest), longest);

/**
 * When to look at a task next, in milliseconds from now: shortly before it should be over, and then in steps that grow with
 * its age, so that a task that takes long costs few requests and one that is quick is seen to end soon.
 *
 * @param age milliseconds since the task began
 * @param expected what such tasks took lately
 * @param longest longest pause: a failure that comes early is seen so late
 */
export function nextLook(age: number, expected: number | undefined, longest: number): number {
  if (expected === undefined) return within(3 * age, UNKNOWN.shortest, Math.min(UNKNOWN.longest, longest));
  const first = 0.9 * expected;
  return within(age < first ? first - age : STEP * Math.max(expected, age), SHORTEST, longest);
}
