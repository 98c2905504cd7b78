/** A set that is made sooner than this needs no word, in milliseconds; nor does more often than this. */
const EVERY_MS = 10_000;
/** Nor less than this part of it. */
const STEP = 0.05;

/** A time as people say it. */
function about(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 90) return `about ${Math.max(5, 5 * Math.round(seconds / 5))} s`;
  if (seconds < 90 * 60) return `about ${Math.round(seconds / 60)} min`;
  return `about ${Math.round(seconds / 3600)} h`;
}

/** How far the clones of one set are. */
class SetProgress {
  readonly #expected = new Set<number>();
  readonly #unchanged = new Set<number>();
  readonly #working = new Set<number>();
  readonly #done = new Map<number, boolean>();
  #total: number | undefined;
  #most = 0;
  #since = 0;
  #said = { at: 0, done: 0 };

  expect(vmId: number): void {
    this.#expected.add(vmId);
  }

  unchanged(vmId: number): void {
    this.#unchanged.add(vmId);
  }

  begin(vmId: number, now: number): void {
    if (this.#most === 0) this.#since = this.#said.at = now;
    this.#expected.add(vmId);
    this.#working.add(vmId);
    this.#most = Math.max(this.#most, this.#working.size);
  }

  /** What is to be said now that one more is done; undefined: nothing. */
  end(vmId: number, { good, word = "ready", total = () => 0 }: Ended, now: number): string | undefined {
    this.#working.delete(vmId);
    this.#done.set(vmId, good);
    const { at, done: saidOf } = this.#said;
    const isDue = now - at >= EVERY_MS;
    if (!isDue && saidOf === 0) return undefined;
    this.#total ??= total();
    const done = this.#done.size;
    const seen = this.#expected.size + this.#unchanged.size;
    // The engine asks about a clone only when it is its turn.
    const all = Math.max(this.#total, seen);
    const isLast = done + this.#unchanged.size === all;
    if (isLast ? saidOf === 0 : !isDue || done - saidOf < all * STEP) return undefined;
    this.#said = { at: now, done };
    const failed = [...this.#done.values()].filter((one) => !one).length;
    return [
      `${done - failed + this.#unchanged.size} of ${all} ${word}`,
      ...(failed > 0 ? [`${failed} not`] : []),
      ...(isLast ? [] : [`${this.#most} at a time`, about(this.#left(all - seen, now))]),
    ].join(", ");
  }

  /** @param unseen clones that nobody knows of yet whether there is anything to do for them: as for the others */
  #left(unseen: number, now: number): number {
    // Those that are under way are half done, on average.
    const reached = this.#done.size + this.#working.size / 2;
    const share = this.#expected.size / (this.#expected.size + this.#unchanged.size);
    return ((now - this.#since) / reached) * (this.#expected.size - reached + unseen * share);
  }
}

/** How the work on a clone has ended. */
interface Ended {
  /** Whether the clone is what it was to become. */
  good: boolean;
  /** What it is then. Default: `ready`. */
  word?: string;
  /** How many clones of its set the run is about; asked once, and only if something is to be said. */
  total?: () => number;
}

/**
 * How far the clone sets of a run are. What is left takes as long as what was done took on average: clones of a set are alike,
 * and the engine works on the same number of them all the time.
 */
export class SetsProgress {
  readonly #sets = new Map<string, SetProgress>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** A clone that the run is going to work on. */
  expect(set: string, vmId: number): void {
    this.#of(set).expect(vmId);
  }

  /** A clone that is asked about, and nothing has to be done for. */
  unchanged(set: string, vmId: number): void {
    this.#of(set).unchanged(vmId);
  }

  begin(set: string, vmId: number): void {
    this.#of(set).begin(vmId, this.#now());
  }

  /** @returns what is to be said of the set, now and then */
  end(set: string, vmId: number, ended: Ended): string | undefined {
    return this.#of(set).end(vmId, ended, this.#now());
  }

  #of(set: string): SetProgress {
    const known = this.#sets.get(set) ?? new SetProgress();
    this.#sets.set(set, known);
    return known;
  }
}
