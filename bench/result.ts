import type { ConditionName } from "../lab/control.ts";
import type { Phase } from "./contender.ts";

/** What one phase of one run cost. */
export interface Result {
  contender: string;
  /** How many clones the run began with; `grow` adds ten, `destroy` removes all. */
  clones: number;
  conditions: ConditionName;
  phase: Phase;
  /** Counted from 1. */
  run: number;
  wallSeconds: number;
  /** Of all its processes, user and system; the lab's is not in it. */
  cpuSeconds: number;
  /** Highest sum over all its processes at one time. */
  peakMemoryBytes: number;
  /** API requests in all, by the lab's log. */
  requests: number;
  /** Those for the clones, by the number of clones that there are in this phase. */
  requestsPerClone: number;
  /** What the ten clones of `grow` added to the stored state, per clone; null for who keeps none, and without `grow`. */
  stateBytesPerClone: number | null;
  /** Clones that were not what they should be after the phase, as the cluster has them; after `destroy`: still there. */
  failedClones: number;
}
