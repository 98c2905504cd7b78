/** Said by whatever was stopped on the user's wish. */
export class InterruptedError extends Error {
  override name = "InterruptedError";

  constructor(what: string) {
    super(`${what}: interrupted`);
  }
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs `work` with a signal that is aborted when this process is told to stop, so that it ends what it started before
 * it fails. The process lives on: its owner decides what comes next.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = () => controller.abort();
  for (const name of signals) process.on(name, abort);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of signals) process.off(name, abort);
  }
}
