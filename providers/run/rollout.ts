import { ProxmoxError } from "../../proxmox/errors.ts";

/** How long the engine may take from the end of an old clone to the beginning of the new one: it does nothing between them. */
const ABANDONED_MS = 30_000;

/**
 * The clones of one set that are made anew, a few at a time. Pulumi deletes the old clone and makes the new one in two
 * calls; in between, and until the new one is ready, the clone is unavailable.
 */
export class Rollout {
  /** How many may be unavailable. */
  limit = 1;
  /** VMs that this run makes anew: the engine says so in `diff`, and then calls `delete` and `create`. */
  readonly replacing = new Set<number>();
  readonly #unavailable = new Set<number>();
  readonly #unhealthy = new Map<number, string>();
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  readonly #timers = new Map<number, NodeJS.Timeout>();

  /** Waits until this clone may go. Once too many have not come back healthy, no more go. */
  enter(vmId: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.set(vmId, { resolve, reject });
    this.#next();
    return promise;
  }

  /** The old clone is gone. If nobody makes the new one, the run has been stopped. */
  gone(vmId: number): void {
    const timer = setTimeout(
      () => this.unhealthy(vmId, "it was deleted, and the run ended before it was made anew"),
      ABANDONED_MS,
    );
    this.#timers.set(vmId, timer.unref());
  }

  /** The clone is not there yet, or not healthy, and is being worked on. */
  begin(vmId: number): void {
    clearTimeout(this.#timers.get(vmId));
    this.#unavailable.add(vmId);
  }

  healthy(vmId: number): void {
    this.replacing.delete(vmId);
    this.#unavailable.delete(vmId);
    this.#unhealthy.delete(vmId);
    this.#next();
  }

  /** It stays unavailable. */
  unhealthy(vmId: number, reason: string): void {
    this.#unavailable.add(vmId);
    this.#unhealthy.set(vmId, reason);
    this.#next();
  }

  #next(): void {
    for (const [vmId, { resolve, reject }] of [...this.#waiting]) {
      if (this.#unhealthy.size >= this.limit) {
        this.#waiting.delete(vmId);
        const sick = [...this.#unhealthy].map(([id, reason]) => `VM ${id} (${reason})`).join(", ");
        reject(
          new ProxmoxError(
            "rollout-stopped",
            `it is left as it is, because the rollout has stopped: not healthy ${sick}; maxUnavailable is ${this.limit}`,
          ),
        );
      } else if (this.#unavailable.size < this.limit) {
        this.#waiting.delete(vmId);
        this.#unavailable.add(vmId);
        resolve();
      }
    }
  }
}

/**
 * The rollouts of one run. Each clone is entered under its VMID when the engine asks what would change: what is deleted
 * later is known by that, whatever its set or the stack was called when it was made.
 */
export class Rollouts {
  readonly #bySet = new Map<string, Rollout>();
  readonly #byVmId = new Map<number, Rollout>();

  /** The rollout that a clone takes part in from now on. */
  enter(vmId: number, set: string, limit: number): Rollout {
    const rollout = this.#bySet.get(set) ?? new Rollout();
    this.#bySet.set(set, rollout);
    this.#byVmId.set(vmId, rollout);
    rollout.limit = limit;
    return rollout;
  }

  /** The rollout of a clone; of one that the config does not have, one of its own. */
  of(vmId: number): Rollout {
    const rollout = this.#byVmId.get(vmId) ?? new Rollout();
    this.#byVmId.set(vmId, rollout);
    return rollout;
  }
}
