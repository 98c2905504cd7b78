import type { Cost } from "./measure/cost.ts";

/** One run of a phase's command. */
export interface Attempt {
  cost: Cost;
  /** Clones that were not what they should be after it; after `destroy`: still there. */
  failedClones: number;
}

/** The phase has done what it is for, and its command says so, too. */
export const isRight = ({ cost, failedClones }: Attempt): boolean => failedClones === 0 && cost.code === 0;

/** What went wrong, to be put behind other text; empty if nothing did. */
export const wrongIn = ({ cost, failedClones }: Attempt): string =>
  `${failedClones ? `, FAILED CLONES: ${failedClones}` : ""}${cost.code ? `, exit code ${cost.code}: ${lastWords(cost)}` : ""}`;

/** The line that says most about a failure. */
export function lastWords({ output }: Pick<Cost, "output">): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return (lines.findLast((line) => /error|fatal/i.test(line)) ?? lines.at(-1) ?? "").trim().slice(0, 200);
}
