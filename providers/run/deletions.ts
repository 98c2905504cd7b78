import { setTimeout as pause } from "node:timers/promises";

/** How long nothing else may have been deleted before a failure is told, in milliseconds: the engine takes a moment to go on. */
const QUIET_MS = 1000;

/**
 * Deletions of one run. The engine begins no further one once one has failed, so a failure is held back until the others
 * that it has begun, and those that follow them, have ended.
 *
 * As many as the engine does at a time (`--parallel`) can be held back; when all of them are, they are told.
 */
export class Deletions {
  readonly #quietMs: number;
  #working = 0;
  #quietSince = performance.now();

  constructor({ quietMs = QUIET_MS } = {}) {
    this.#quietMs = quietMs;
  }

  async attempt(work: () => Promise<void>): Promise<void> {
    this.#working++;
    try {
      await work().finally(() => {
        this.#working--;
        this.#quietSince = performance.now();
      });
    } catch (error) {
      return this.hold(error);
    }
  }

  /** Throws the error of a deletion that was not begun, once the others have ended. */
  async hold(error: unknown): Promise<never> {
    await this.#quiet();
    throw error;
  }

  async #quiet(): Promise<void> {
    for (;;) {
      const left = this.#working > 0 ? this.#quietMs : this.#quietMs - (performance.now() - this.#quietSince);
      if (left <= 0) return;
      await pause(left);
    }
  }
}
