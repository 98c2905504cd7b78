import { phases } from "../contender.ts";
import type { Result } from "../result.ts";

export const measures = [
  "wallSeconds",
  "cpuSeconds",
  "peakMemoryBytes",
  "requests",
  "requestsPerClone",
  "stateBytesPerClone",
  "failedClones",
] as const;
export type Measure = (typeof measures)[number];

/** The runs of one measure. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** All runs of one phase by one contender under the same conditions. */
export interface Summary extends Pick<Result, "contender" | "clones" | "conditions" | "phase"> {
  runs: number;
  /** Null where the contender has no such thing. */
  of: Record<Measure, Spread | null>;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (index: number) => sorted[index] ?? Number.NaN;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

/** By conditions, number of clones and phase; contenders in the order in which they first appear. */
export function summarize(results: readonly Result[]): Summary[] {
  const groups = Map.groupBy(results, ({ contender, clones, conditions, phase }) =>
    JSON.stringify([conditions, clones, phase, contender]),
  );
  const contenders = [...new Set(results.map(({ contender }) => contender))];
  const summaries = [...groups.values()].flatMap((runs): Summary[] => {
    const [first] = runs;
    if (first === undefined) return [];
    const { contender, clones, conditions, phase } = first;
    const spread = (measure: Measure): [Measure, Spread | null] => {
      const values = runs.map((run) => run[measure]).filter((value) => value !== null);
      return [measure, values.length === 0 ? null : spreadOf(values)];
    };
    const of = Object.fromEntries(measures.map(spread)) as Record<Measure, Spread | null>;
    return [{ contender, clones, conditions, phase, runs: runs.length, of }];
  });
  return summaries.sort(
    (a, b) =>
      a.conditions.localeCompare(b.conditions) ||
      a.clones - b.clones ||
      phases.indexOf(a.phase) - phases.indexOf(b.phase) ||
      contenders.indexOf(a.contender) - contenders.indexOf(b.contender),
  );
}
