import { nextLook } from "./taskDurations.ts";

/** Shortest time between two lists of a node's tasks, in milliseconds; shorter for a task that is younger than that. */
const GAP_MS = 300;

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
    const times = [...this.#waiting].map(({ due, begun }) =>
      Math.max(due, this.#looked + Math.min(GAP_MS, due - begun)),
    );
    this.#timer = setTimeout(() => this.#look(), Math.min(...times) - performance.now());
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    // Tasks that begin meanwhile may be missing from the list.
    const asked = [...this.#waiting];
    const running = await this.#running().catch(() => new Set<string>());
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
}
