const tails = new Map<string, Promise<unknown>>();

/** Runs work of the same key one after the other; all resources of a stack share this process. */
export function serially<T>(key: string, work: () => Promise<T>): Promise<T> {
  const before = tails.get(key) ?? Promise.resolve();
  const mine = before.then(work, work);
  tails.set(
    key,
    mine.catch(() => undefined),
  );
  return mine;
}
