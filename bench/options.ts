import { parseArgs } from "node:util";
import type { ConditionName } from "../lab/control.ts";
import { conditionNames } from "./conditions.ts";

export interface BenchOptions {
  contenders: string[];
  clones: number[];
  conditions: ConditionName[];
  runs: number;
  /** Print the results as JSON to stdout, and nothing else there. */
  json: boolean;
  /** Folder for what is saved. */
  out: string;
}

export const usage = `usage: npm run bench -- [options]
  --contenders ours,ours-skip-checkpoints,opentofu,opentofu-50,ansible-serial,ansible-free
                             who takes part (all of them)
  --clones 10,100,1000       how many clones (100)
  --conditions instant,node  how the lab's node behaves (both)
  --runs 3                   how often, each contender in turn (3)
  --out FOLDER               where results.json, tables.md and chart.svg go (bench/results)
  --json                     print the results to stdout as one JSON array, and nothing else`;

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
        runs: { type: "string", default: "3" },
        out: { type: "string", default: defaultOut },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
  if (values.help === true) throw new UsageError(usage);
  const list = (key: string) => String(values[key]).split(",").filter(Boolean);
  return {
    contenders: oneOf("--contenders", list("contenders"), names),
    clones: list("clones").map((text) => natural("--clones", text)),
    conditions: oneOf("--conditions", list("conditions"), conditionNames),
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

function natural(option: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value === 0)
    throw new UsageError(`${option}: "${text}" is not a number of 1 or more\n${usage}`);
  return value;
}
