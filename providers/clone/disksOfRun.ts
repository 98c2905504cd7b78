import type { Run } from "../run/run.ts";
import { Holders } from "./holders.ts";
import type { CloneInputs } from "./inputs.ts";

/** What a run of the engine remembers of disks that stay when their clones are made anew. */
export interface DisksOfRun {
  holders: Holders;
  /** By VMID of a clone whose own disks stay: what the config wants of it. */
  wanted: Map<number, CloneInputs>;
}

const ofRuns = new WeakMap<Run, DisksOfRun>();

export function disksOfRun(run: Run): DisksOfRun {
  const known = ofRuns.get(run) ?? { holders: new Holders(run.client), wanted: new Map() };
  ofRuns.set(run, known);
  return known;
}
