import { parseArgs } from "node:util";
import type { ConditionName } from "../lab/control.ts";
import { conditionNames } from "./conditions.ts";
import { type Phase, phases } from "./contender.ts";

export interface BenchOptions {
  contenders: string[];
  clones: number[];
  conditions: ConditionName[];
  /** Those that are measured. */
  phases: Phase[];
  runs: number;
  /** Print the results as JSON to stdout, and nothing else there. */
  json: boolean;
  /** Folder for what is saved. */
  out: string;
}

export const usage = `usage: npm run bench -- [options]
  --contenders ours,ours-refresh,ours-skip-checkpoints,ours-four-nodes,pulumi-floor,opentofu,opentofu-50,
                             ansible-serial,ansible-free: who takes part (all of them)
  --clones 10,100,1000       how many clones (100)
  --conditions instant,node  how the lab's node behaves (both)
  --phases second,preview    what is measured, of first, second, preview, grow, destroy (all); what has to be done
                             before is done at once, where PVE needs no time, and not counted
  --runs 3                   how often, each contender in turn (3)
  --out FOLDER               where results.json, tables.md and chart.svg go (bench/results)
  --json                     print the results to stdout as one JSON array, and nothing else
  --help                     this`;

/** A mistake in the command line; its message says what to do. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** @throws UsageError */
export function parseOptions(args: string[], names: readonly string[], defaultOut: string): BenchOptions {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      args,
      options: {
        contenders: { type: "string", default: names.join(",") },
        clones: { type: "string", default: "100" },
        conditions: { type: "string", default: conditionNames.join(",") },
        phases: { type: "string", default: phases.join(",") },
        runs: { type: "string", default: "3" },
        out: { type: "string", default: defaultOut },
        json: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
  const list = (key: string) =>
    String(values[key])
      .split(",")
      .map((item) => item.trim())
      .filter(Boolean);
  return {
    contenders: oneOf("--contenders", list("contenders"), names),
    clones: naturals("--clones", list("clones")),
    conditions: oneOf("--conditions", list("conditions"), conditionNames),
    phases: oneOf("--phases", list("phases"), phases),
    runs: natural("--runs", String(values.runs)),
    json: values.json === true,
    out: String(values.out),
  };
}

function oneOf<T extends string>(option: string, given: string[], allowed: readonly T[]): T[] {
  const unknown = given.filter((name) => !allowed.some((one) => one === name));
  if (unknown.length > 0 || given.length === 0)
    throw new UsageError(`${option}: "${unknown.join(",")}" is none of ${allowed.join(", ")}\n${usage}`);
  return allowed.filter((name) => given.includes(name));
}

function naturals(option: string, given: string[]): number[] {
  if (given.length === 0) natural(option, "");
  return [...new Set(given.map((text) => natural(option, text)))];
}

function natural(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value === 0)
    throw new UsageError(`${option}: "${text}" is not a number of 1 or more\n${usage}`);
  return value;
}
