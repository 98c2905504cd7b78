import { nextLook } from "./taskDurations.ts";

/** Shortest time between two lists of a node's tasks, in milliseconds; and where one of them is younger than that. */
const GAP_MS = 250;
const YOUNG_GAP_MS = 100;

/** How long a list may take, in milliseconds: while one is on its way, nobody hears of his task. */
const LIST_MS = 5000;

interface Waiting {
  upid: string;
  /** Times of `performance.now()`: when the task began, when it is looked at next, and until when it is waited for. */
  begun: number;
  due: number;
  until: number;
  expected: number;
  done: () => void;
}

export interface Watched {
  /** Time of `performance.now()`. */
  begun: number;
  /** What such tasks took lately, in milliseconds; 0: nothing is known. */
  expected: number;
  /** How long it is waited for, in milliseconds. */
  atMost: number;
}

/** Tasks of one node that are waited for: one list of what runs there tells of all of them which have ended. */
export class TaskWatch {
  readonly #running: () => Promise<ReadonlySet<string>>;
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #isLooking = false;
  #looked = 0;

  /** @param running asks the node for the UPIDs of all tasks that run there */
  constructor(running: () => Promise<ReadonlySet<string>>) {
    this.#running = running;
  }

  /** Waits until the node no longer lists a task as running, or cannot tell, or until the time is over. */
  ended(upid: string, { begun, expected, atMost }: Watched): Promise<void> {
    return new Promise((done) => {
      const now = performance.now();
      const due = now + nextLook(now - begun, expected, atMost);
      this.#waiting.add({ upid, begun, expected, due, until: now + atMost, done });
      this.#plan();
    });
  }

  /** Plans the next list for when the first of the tasks is due. */
  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#isLooking || this.#waiting.size === 0) return;
    const gap = ({ due, begun }: Waiting) => (due - begun < GAP_MS ? YOUNG_GAP_MS : GAP_MS);
    const times = [...this.#waiting].map((task) => Math.max(task.due, this.#looked + gap(task)));
    this.#timer = setTimeout(() => this.#look(), Math.min(...times) - performance.now());
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    // Tasks that begin meanwhile may be missing from the list.
    const asked = [...this.#waiting];
    const running = await this.#list();
    this.#isLooking = false;
    const now = performance.now();
    this.#looked = now;
    for (const task of asked) {
      if (running.has(task.upid) && now < task.until) {
        task.due = now + nextLook(now - task.begun, task.expected, task.until - now);
        continue;
      }
      this.#waiting.delete(task);
      task.done();
    }
    this.#plan();
  }

  /** What runs on the node; nothing if it cannot tell in time. */
  async #list(): Promise<ReadonlySet<string>> {
    const { promise: over, resolve } = Promise.withResolvers<ReadonlySet<string>>();
    const timer = setTimeout(() => resolve(new Set()), LIST_MS);
    try {
      return await Promise.race([this.#running(), over]);
    } catch {
      return new Set();
    } finally {
      clearTimeout(timer);
    }
  }
}
