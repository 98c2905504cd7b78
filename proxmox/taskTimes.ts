import type { PveClient } from "./client.ts";

/** Shortest pause between two looks at a task, in milliseconds. */
const LEAST = 30;

/** How close to each other the looks are when the end is near, as a part of the time that the task should take. */
const STEP = 0.08;

/** How much earlier the next task is looked at when one had ended at the first look already. */
const EARLIER = 0.05;

/** Longest pause between looks at a young task while nothing is known of its kind, in milliseconds. */
const UNKNOWN = 500;

/** Tasks that run side by side. */
class Crowd {
  size = 0;
  #share = 0;
  #since = performance.now();

  change(by: number): void {
    this.#share = this.share;
    this.#since = performance.now();
    this.size += by;
  }

  /** Milliseconds that each would have had by now if they had always shared the time. */
  get share(): number {
    return this.#share + (performance.now() - this.#since) / Math.max(1, this.size);
  }
}

/** What is known of tasks of one kind: how long they take, who waits for them. */
export class TaskTimes {
  /** Milliseconds of their own time that the last three took. */
  #last: number[] = [];
  #inARow = 0;
  readonly #asleep = new Set<() => void>();
  readonly crowd = new Crowd();
  /** The one that looks often while nothing is known. */
  scout: Looks | undefined;

  /**
   * Milliseconds of its own time that the next one should take, by what was seen of the last three: the middle one, so
   * that one that is slow for once changes nothing. Undefined: nothing is known.
   */
  get expected(): number | undefined {
    return this.#last.toSorted((one, other) => one - other)[(this.#last.length - 1) >> 1];
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
    if (by > (this.expected ?? by)) return;
    const less = by * Math.max(0.2, 1 - EARLIER * 2 ** this.#inARow++);
    this.#last = this.#last.length > 0 ? this.#last.map((ms) => Math.min(ms, less)) : [by];
  }

  /** Resolves after `ms` milliseconds, or when one of the others is not waited for any more. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#asleep.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.ceil(ms));
      this.#asleep.add(wake);
    });
  }

  wakeAll(): void {
    for (const wake of this.#asleep) wake();
  }
}

/**
 * When to look at a task: about when it should be over, and then in short steps that grow. Of tasks that wait for one
 * another (for a datastore's lock, say) each takes the longer the more of them there are: they are taken to share the time
 * in equal parts. While nothing is known of a kind, one task is looked at often, and the others when that one has ended,
 * or after the longest pause.
 */
export class Looks {
  readonly #times: TaskTimes;
  readonly #longest: number;
  readonly #contended: boolean;
  readonly #start: number;
  /** What was known when the task began. */
  readonly #expectedAtStart: number | undefined;
  readonly #begun = performance.now();
  #lookedAt: number | undefined;
  /** Whether the last look was made before the task should have ended, because of the longest pause. */
  #early = false;
  #open = true;
  /** The task's own time when it was last looked at, and when it was last seen to run. */
  #elapsed = 0;
  #seenRunning: number | undefined;

  /**
   * @param longest longest pause in milliseconds: a failure that comes early is seen so late
   * @param contended tasks of this kind wait for one another
   */
  constructor(times: TaskTimes, longest: number, contended = false) {
    this.#times = times;
    this.#longest = longest;
    this.#contended = contended;
    times.crowd.change(1);
    this.#start = this.#clock;
    this.#expectedAtStart = times.expected;
  }

  /** Milliseconds, in its own time: of tasks that share the time, a part of it. */
  get #clock(): number {
    return this.#contended ? this.#times.crowd.share : performance.now();
  }

  /** How many milliseconds pass for one of its own. */
  get #slowness(): number {
    return this.#contended ? this.#times.crowd.size : 1;
  }

  /** Resolves when the task is to be looked at. */
  async due(): Promise<void> {
    for (let left = this.#left(); left > 0; left = this.#left()) await this.#times.sleep(left);
    this.#lookedAt = performance.now();
    this.#elapsed = this.#clock - this.#start;
    const { expected, scout } = this.#times;
    this.#early = expected === undefined ? scout !== this : this.#elapsed < expected;
  }

  /** Milliseconds until the task is to be looked at, by what is known now. */
  #left(): number {
    const passed = performance.now() - (this.#lookedAt ?? this.#begun);
    const { expected } = this.#times;
    if (expected === undefined) return this.#pauseUnknown() - passed;
    const late = this.#seenRunning === undefined ? 0 : (this.#seenRunning - expected) * this.#slowness + LEAST;
    if (late > 0) {
      // Doubles the time that it is late, as if nothing were known, but not so that a long task is seen late.
      return this.#upTo(1000, Math.max(LEAST, STEP * expected * this.#slowness, late - LEAST)) - passed;
    }
    const left = (expected - (this.#clock - this.#start)) * this.#slowness;
    return Math.min(left, this.#longest - passed);
  }

  #pauseUnknown(): number {
    const times = this.#times;
    const age = this.#lookedAt === undefined ? 0 : this.#lookedAt - this.#begun;
    if (age >= this.#longest) return this.#upTo(1000, age);
    times.scout ??= this;
    if (times.scout !== this) return this.#longest;
    return this.#lookedAt === undefined ? 0 : this.#upTo(UNKNOWN, Math.max(LEAST, age));
  }

  /** A pause that is not long for a young task, nor for its age. */
  #upTo(young: number, ms: number): number {
    return Math.min(ms, Math.max(young, ((this.#lookedAt ?? 0) - this.#begun) / 10), this.#longest);
  }

  /** The task ran when it was looked at. */
  running(): void {
    this.#seenRunning = this.#elapsed;
    // Pauses count from the answer, which a busy node may keep one waiting for.
    this.#lookedAt = performance.now();
    // The others should not wait for one that takes that long.
    const times = this.#times;
    if (times.scout !== this || this.#lookedAt - this.#begun < this.#longest) return;
    times.scout = undefined;
    times.wakeAll();
  }

  /** The task had done its work when it was looked at. */
  ended(): void {
    if (this.#seenRunning !== undefined) this.#times.endedBetween(this.#seenRunning, this.#elapsed);
    else if (!this.#early) this.#times.endedBefore(Math.min(this.#expectedAtStart ?? this.#elapsed, this.#elapsed));
    else if (this.#times.expected !== undefined) this.#times.endedBetween(0, this.#elapsed);
  }

  /** The task is not waited for any more. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    const times = this.#times;
    times.crowd.change(-1);
    if (times.scout === this) times.scout = undefined;
    times.wakeAll();
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
