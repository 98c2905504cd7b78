export interface LockOptions {
  /** Called once if somebody else holds the lock, with the owner's process id (NaN if unknown). */
  onWait?: (ownerPid: number) => void;
  /** Called at every try while waiting, with the time waited in milliseconds. If it throws, the waiting ends. */
  onTick?: (waitedMs: number) => void;
  /** How often to try again, in milliseconds. @default 200 */
  pollMs?: number;
}

/** Runs `work` while holding the lock file; the lock of a process that is gone is taken over. */
export declare function withLock<T>(path: string, work: () => Promise<T> | T, options?: LockOptions): Promise<T>;
