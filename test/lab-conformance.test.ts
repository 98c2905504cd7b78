import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { replayProvider } from "../lab/conformance/provider.ts";
import { replayShared, type StepResult } from "../lab/conformance/shared.ts";
import { acceptedDifferences } from "../lab/differences.ts";
import { type Lab, startLab } from "../lab/lab.ts";

const timeoutMs = 180_000;
const leastShare = 0.8;

/** Runs on a lab of its own, seeded as the node that was recorded. */
async function onFreshLab<T>(use: (lab: Lab) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(path.join(tmpdir(), "lab-conformance-"));
  const lab = await startLab({ dir, seed: "recorded", log: (line) => console.log(line) });
  try {
    return await use(lab);
  } finally {
    await lab.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Agreed/all by group, and what differs with its reason. */
function report(title: string, results: readonly StepResult[]): string {
  const groups = new Map<string, [number, number]>();
  for (const { group, differences } of results) {
    const [agreed, all] = groups.get(group) ?? [0, 0];
    groups.set(group, [agreed + (differences.length === 0 ? 1 : 0), all + 1]);
  }
  const agreed = results.filter(({ differences }) => differences.length === 0).length;
  const rows = [...groups].toSorted().map(([group, [fine, all]]) => `  ${`${fine}/${all}`.padStart(9)}  ${group}`);
  const differing = results
    .filter(({ differences }) => differences.length > 0)
    .map(
      ({ id, differences }) => `  differs: ${id} - ${acceptedDifferences[id] ?? differences.slice(0, 5).join("; ")}`,
    );
  return [`${title}: ${agreed}/${results.length} agreed`, ...rows, ...differing].join("\n");
}

function check(results: readonly StepResult[], prefix: RegExp): void {
  const unexpected = results.filter(({ id, differences }) => differences.length > 0 && !(id in acceptedDifferences));
  expect(unexpected).toEqual([]);
  const agreeing = new Set(results.filter(({ differences }) => differences.length === 0).map(({ id }) => id));
  const ids = new Set(results.map(({ id }) => id));
  const listed = Object.keys(acceptedDifferences).filter((id) => prefix.test(id));
  expect(listed.filter((id) => agreeing.has(id) || !ids.has(id))).toEqual([]);
  expect(agreeing.size / results.length).toBeGreaterThanOrEqual(leastShare);
}

describe("the lab answers as a real node did", () => {
  test.each([
    ["shared.jsonl", /^(?!provider-|h-)/],
    ["second.jsonl", /^h-/],
  ] as const)("calls and answers of %s", { timeout: timeoutMs }, async (file, ids) => {
    const results = await onFreshLab((lab) => replayShared(lab, file));
    console.log(report(`calls of ${file}`, results));
    check(results, ids);
  });

  test("the proxmoxve provider's own traffic", { timeout: timeoutMs }, async () => {
    const results = await onFreshLab(replayProvider);
    console.log(report("provider's traffic", results));
    check(results, /^provider-/);
  });
});
