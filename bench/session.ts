import type { ConditionName } from "../lab/control.ts";
import { type Contender, type Phase, phases, type Session } from "./contender.ts";
import { failedClones, remainingClones } from "./failed.ts";
import { growth } from "./fleet.ts";
import { type Cost, costOf } from "./measure/cost.ts";
import { cpuSecondsOf } from "./measure/memory.ts";
import { requestsPerClone } from "./requests.ts";
import type { Result } from "./result.ts";

export interface Plan {
  contender: Contender;
  clones: number;
  conditions: ConditionName;
  run: number;
}

/** A phase is repeated unmeasured, at most so often, until its clones are right, so that the next one means something. */
const repairs = 5;

/** Takes one contender through all phases on a lab of its own. */
export async function measure(plan: Plan, say: (line: string) => void, signal?: AbortSignal): Promise<Result[]> {
  const { contender, clones, conditions, run } = plan;
  const session = await contender.open();
  const { control, pid } = session.lab;
  const results: Omit<Result, "stateBytesPerClone">[] = [];
  const missing = async (phase: Phase, wanted: number) => {
    const { vms } = await control.state();
    return phase === "destroy" ? remainingClones(vms).length : failedClones(vms, wanted).length;
  };

  const measured = async (phase: Phase): Promise<void> => {
    const wanted = phase === "grow" || phase === "destroy" ? clones + growth : clones;
    const command = session.command(phase);
    if (command === undefined) return;
    await session.want(wanted);
    await control.clearRequests();
    const labBefore = cpuSecondsOf(pid);
    let cost = await costOf(command, signal);
    signal?.throwIfAborted();
    const labSeconds = cpuSecondsOf(pid) - labBefore;
    const { api } = await control.requests();
    let failed = await missing(phase, wanted);
    const { wallSeconds, cpuSeconds, peakMemoryBytes } = cost;
    const perClone = requestsPerClone(api, wanted);
    results.push({
      ...{ contender: contender.name, clones, conditions, phase, run, wallSeconds, cpuSeconds, peakMemoryBytes },
      ...{ requests: api.length, requestsPerClone: perClone, failedClones: failed },
    });
    say(
      `  ${phase}: ${wallSeconds.toFixed(1)} s, CPU ${cpuSeconds.toFixed(1)} s (the lab's ${labSeconds.toFixed(1)} s), ` +
        `${Math.round(peakMemoryBytes / 2 ** 20)} MiB, ${api.length} requests, ${perClone.toFixed(1)} per clone` +
        `${failed ? `, FAILED CLONES: ${failed}` : ""}${cost.code ? `, exit code ${cost.code}: ${lastWords(cost)}` : ""}`,
    );
    for (let repair = 1; failed > 0 || cost.code !== 0; repair++) {
      if (repair > repairs)
        throw new Error(`${contender.name}, ${phase}: still wrong after ${repairs} more runs:\n${cost.output}`);
      cost = await costOf(command, signal);
      signal?.throwIfAborted();
      failed = await missing(phase, wanted);
      say(`    once more, unmeasured: ${failed} clones failed, exit code ${cost.code}`);
    }
  };

  try {
    await control.conditions(conditions);
    let before = 0;
    let added: number | undefined;
    for (const phase of phases) {
      await measured(phase);
      if (phase === "preview") before = (await session.stateBytes()) ?? 0;
      if (phase === "grow") added = await bytesAdded(session, before);
    }
    return results.map((result) => ({ ...result, stateBytesPerClone: added ?? null }));
  } finally {
    await session.close();
  }
}

async function bytesAdded(session: Session, before: number): Promise<number | undefined> {
  const after = await session.stateBytes();
  return after === undefined ? undefined : (after - before) / growth;
}

/** The line that says most about a failure. */
function lastWords({ output }: Cost): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  return (lines.findLast((line) => /error|fatal/i.test(line)) ?? lines.at(-1) ?? "").trim().slice(0, 200);
}
