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

/** How far the clones of one set are that a run works on. */
class SetProgress {
  readonly #expected = new Set<number>();
  readonly #working = new Set<number>();
  readonly #done = new Map<number, boolean>();
  #most = 0;
  #since: number | undefined;
  #said = { at: 0, done: 0 };

  expect(vmId: number): void {
    this.#expected.add(vmId);
  }

  begin(vmId: number, now: number): void {
    this.#expected.add(vmId);
    this.#since ??= this.#said.at = now;
    this.#working.add(vmId);
    this.#most = Math.max(this.#most, this.#working.size);
  }

  /** What is to be said now that one more is done; undefined: nothing. */
  end(vmId: number, good: boolean, word: string, now: number): string | undefined {
    this.#working.delete(vmId);
    this.#done.set(vmId, good);
    const [done, all] = [this.#done.size, this.#expected.size];
    const { at } = this.#said;
    const isLast = done === all && this.#said.done > 0;
    if (!isLast && (done === all || now - at < EVERY_MS || done - this.#said.done < all * STEP)) return undefined;
    this.#said = { at: now, done };
    return this.#text(word, now);
  }

  #text(word: string, now: number): string {
    const [done, all] = [this.#done.size, this.#expected.size];
    const failed = [...this.#done.values()].filter((good) => !good).length;
    // Those that are under way are half done, on average.
    const reached = done + this.#working.size / 2;
    const left = ((now - (this.#since ?? now)) / reached) * (all - reached);
    return [
      `${done - failed} of ${all} ${word}`,
      ...(failed > 0 ? [`${failed} not`] : []),
      ...(done < all ? [`${this.#most} at a time`, about(left)] : []),
    ].join(", ");
  }
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

  begin(set: string, vmId: number): void {
    this.#of(set).begin(vmId, this.#now());
  }

  /**
   * @param good whether it is what it was to become
   * @param word what it is then
   * @returns what is to be said of the set, now and then
   */
  end(set: string, vmId: number, good: boolean, word = "ready"): string | undefined {
    return this.#of(set).end(vmId, good, word, this.#now());
  }

  #of(set: string): SetProgress {
    const known = this.#sets.get(set) ?? new SetProgress();
    this.#sets.set(set, known);
    return known;
  }
}
