import { type Phase, phases } from "./contender.ts";

/** What must have been done before a phase is what it is called. */
const needs: Record<Phase, readonly Phase[]> = {
  first: [],
  second: ["first"],
  preview: ["first"],
  grow: ["first"],
  // It removes what `grow` has added, too, whichever phases are chosen: else its numbers could not be compared.
  destroy: ["first", "grow"],
};

export interface Step {
  phase: Phase;
  /** False: it is only done because a later one needs it. */
  measured: boolean;
}

/** The way to the phases that are to be measured, in their fixed order. */
export function stepsTo(measured: readonly Phase[]): Step[] {
  const done = new Set(measured.flatMap((phase) => [...needs[phase], phase]));
  return phases.filter((phase) => done.has(phase)).map((phase) => ({ phase, measured: measured.includes(phase) }));
}
