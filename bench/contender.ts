import type { Lab } from "../lab/lab.ts";
import type { Command } from "./measure/cost.ts";

export const phases = ["first", "second", "preview", "grow", "destroy"] as const;
/**
 * `first`: image, template and clones, from nothing. `second`: the same once more, nothing to do. `preview`: what would
 * be done? `grow`: ten clones more. `destroy`: all of it.
 */
export type Phase = (typeof phases)[number];

/** One contender on a lab of its own, from nothing to nothing. */
export interface Session {
  lab: Lab;
  /** Says how many clones there should be from now on. */
  want(clones: number): Promise<void>;
  /** How a user does it; undefined if the contender has no such thing. */
  command(phase: Phase): Command | undefined;
  /** Bytes of the state as it is stored; undefined if the contender keeps none. */
  stateBytes(): Promise<number | undefined>;
  /** How many clones are not what they should be after a phase, whatever its exit code; after `destroy`: still there. */
  failedClones(phase: Phase, clones: number): Promise<number>;
  /** Stops the lab and removes what the session has made. */
  close(): Promise<void>;
}

export interface Contender {
  name: string;
  /** @throws NotInstalledError if its programs are not here */
  available(): unknown;
  open(): Promise<Session>;
}
