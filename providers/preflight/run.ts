import type { LoadedConfig } from "../../config/load.ts";
import { ApiError } from "../../proxmox/errors.ts";
import type { Facts } from "./facts.ts";
import { type Check, type Finding, fail, type Group, NotAsked, skip } from "./finding.ts";

/** A check with what it found. */
export interface Result {
  id: string;
  group: Group;
  findings: Finding[];
}

/** Which check reports an error; the others that meet the same error refer to it. */
type Reported = Map<unknown, string>;

function unexpected(error: unknown, reported: Reported): Finding[] {
  if (error instanceof NotAsked) return [skip(error.message)];
  const by = reported.get(error);
  if (by) return [skip(`see ${by}`)];
  if (error instanceof ApiError && error.status === 403)
    return [skip(`PVE does not show this to the login (${error.answer}); see privileges`)];
  const text = error instanceof Error ? error.message : String(error);
  return [fail(`this could not be checked: ${text}`, { cause: error })];
}

/** Runs all checks side by side. One that throws has failed; the others are not concerned. */
export async function runChecks(checks: readonly Check[], facts: Facts): Promise<Result[]> {
  const outcomes = await Promise.all(
    checks.map(async (check) => {
      try {
        return { check, findings: await check.run(facts) };
      } catch (error) {
        return { check, error };
      }
    }),
  );
  const reported: Reported = new Map();
  for (const { check, findings } of outcomes) {
    for (const { cause } of findings ?? []) if (cause !== undefined) reported.set(cause, check.id);
  }
  // In the order of the list, so that the first that meets an error is the one that reports it.
  return outcomes.map(({ check, findings, error }) => {
    const found = findings ?? unexpected(error, reported);
    for (const { cause } of found) if (cause !== undefined) reported.set(cause, check.id);
    return { id: check.id, group: check.group, findings: found };
  });
}

/** The stack config's own problems and warnings, found without the cluster. */
export function configResults({ problems, warnings, cluster, login }: LoadedConfig): Result[] {
  const findings: Finding[] = [
    ...problems.map(({ path, message }): Finding => ({ status: "fail", path, message })),
    ...warnings.map(({ path, message }): Finding => ({ status: "warn", path, message })),
  ];
  const results: Result[] = [
    {
      id: "config",
      group: "configuration",
      findings:
        problems.length > 0 ? findings : [...findings, { status: "pass", message: "the stack config is sound" }],
    },
  ];
  if (!cluster || !login) {
    results.unshift({
      id: "api-reachable",
      group: "environment",
      findings: [skip("the cluster was not asked: in the config, its endpoint or the login is missing or wrong")],
    });
  }
  return results;
}
