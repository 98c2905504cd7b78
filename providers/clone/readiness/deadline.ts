/** A time that something may take, and pauses within it. */
export interface Deadline {
  /** How many seconds there are in all. */
  seconds: number;
  /** Seconds that are over, whole ones. */
  elapsed(): number;
  isOver(): boolean;
  /** A new series of pauses, each longer than the one before, none beyond the end. */
  pauses(): () => Promise<void>;
  /** The answer, or undefined if it is not there when the time is over. */
  within<T>(answer: Promise<T>): Promise<T | undefined>;
}

const GROWTH = 1.5;

/**
 * @param seconds time that there is, from now on
 * @param firstMs the first pause of a series
 * @param longestMs no pause is longer
 */
export function deadline(seconds: number, firstMs: number, longestMs: number): Deadline {
  const from = Date.now();
  const left = () => Math.max(0, from + seconds * 1000 - Date.now());
  return {
    seconds,
    elapsed: () => Math.floor((Date.now() - from) / 1000),
    isOver: () => left() === 0,
    pauses() {
      let next = firstMs;
      return () => {
        const wait = Math.min(next, left());
        next = Math.min(next * GROWTH, longestMs);
        return new Promise((resolve) => setTimeout(resolve, wait));
      };
    },
    async within(answer) {
      let timer: NodeJS.Timeout | undefined;
      const end = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), left());
      });
      // An answer that comes later is nobody's any more, nor is its error.
      answer.catch(() => {});
      try {
        return await Promise.race([answer, end]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
