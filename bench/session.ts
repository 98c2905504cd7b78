import type { ConditionName } from "../lab/control.ts";
import { type Attempt, isRight, lastWords, wrongIn } from "./attempt.ts";
import type { Contender, Phase, Session } from "./contender.ts";
import { growth } from "./fleet.ts";
import { type Command, costOf } from "./measure/cost.ts";
import { cpuSecondsOf } from "./measure/memory.ts";
import { requestsPerClone } from "./requests.ts";
import type { Result } from "./result.ts";
import { settled } from "./settled.ts";
import { stepsTo } from "./steps.ts";

export interface Plan {
  contender: Contender;
  clones: number;
  conditions: ConditionName;
  /** Those that are measured. */
  phases: readonly Phase[];
  run: number;
}

/** Where a session's findings go, as they come. */
export interface Notes {
  results: Result[];
  /** Something that was to be measured has not been, and why. */
  failure(text: string): void;
  say(line: string): void;
}

/** What went wrong is repeated, at most so often, until its clones are right, so that the next phase means something. */
const repairs = 5;

/** How the lab's node behaves while something is done that is not measured. */
const unmeasured: ConditionName = "instant";

/**
 * Takes one contender through the phases that are to be measured, on a lab of its own.
 *
 * @throws Error if a phase that a later one needs cannot be got right; what was measured before has been noted
 */
export async function measure(plan: Plan, notes: Notes, signal?: AbortSignal): Promise<void> {
  const session = await plan.contender.open();
  try {
    await goThrough(session, plan, notes, signal);
  } finally {
    await session.close();
  }
}

async function goThrough(session: Session, plan: Plan, notes: Notes, signal?: AbortSignal): Promise<void> {
  const { control } = session.lab;
  const mine: Result[] = [];

  let now: ConditionName | undefined;
  const conditions = async (wanted: ConditionName): Promise<void> => {
    if (wanted === now) return;
    await control.conditions(wanted);
    // At the beginning there is nothing yet that the cluster's list could have missed.
    if (now !== undefined) await settled(session.lab, signal);
    now = wanted;
  };

  const measured = async (phase: Phase, clones: number, command: Command): Promise<Attempt> => {
    await conditions(plan.conditions);
    const stop = await watchLab(session);
    const cost = await costOf(command, signal);
    const lab = await stop(clones);
    const done = { cost, failedClones: await session.failedClones(phase, clones) };
    const { code, wallSeconds, cpuSeconds, peakMemoryBytes } = cost;
    notes.say(
      `  ${phase}: ${wallSeconds.toFixed(1)} s, CPU ${cpuSeconds.toFixed(1)} s (the lab's ${lab.cpuSeconds.toFixed(1)} s), ` +
        `${Math.round(peakMemoryBytes / 2 ** 20)} MiB, ${lab.requests} requests, ` +
        `${lab.requestsPerClone.toFixed(1)} per clone${wrongIn(done)}`,
    );
    if (code !== 0 && done.failedClones === 0) {
      // It may have ended before its work was done, with no clone to show it: a failed preview would pass for a fast one.
      notes.failure(`${phase}: exit code ${code}: ${lastWords(cost)}`);
      return done;
    }
    const result: Result = {
      ...{ contender: plan.contender.name, clones: plan.clones, conditions: plan.conditions, phase, run: plan.run },
      ...{ wallSeconds, cpuSeconds, peakMemoryBytes },
      ...{ requests: lab.requests, requestsPerClone: lab.requestsPerClone },
      ...{ stateBytesPerClone: null, failedClones: done.failedClones },
    };
    mine.push(result);
    notes.results.push(result);
    return done;
  };

  const prepared = async (phase: Phase, clones: number, command: Command): Promise<Attempt> => {
    await conditions(unmeasured);
    const cost = await costOf(command, signal);
    const done = { cost, failedClones: await session.failedClones(phase, clones) };
    notes.say(`  ${phase}, not measured: ${done.cost.wallSeconds.toFixed(1)} s${wrongIn(done)}`);
    return done;
  };

  const steps = stepsTo(plan.phases.filter((phase) => session.command(phase) !== undefined));
  if (steps.length === 0) notes.say("  has no such phase");
  let stateBytesPerClone: number | null = null;
  for (const [index, step] of steps.entries()) {
    const { phase } = step;
    const command = session.command(phase);
    if (command === undefined) continue;
    const clones = phase === "grow" || phase === "destroy" ? plan.clones + growth : plan.clones;
    const before = phase === "grow" ? await session.stateBytes() : undefined;
    await session.want(clones);
    let done = await (step.measured ? measured : prepared)(phase, clones, command);
    // What the last phase leaves interests nobody, but the state after `grow` is looked at.
    const matters = phase === "grow" || index < steps.length - 1;
    for (let repair = 1; matters && !isRight(done); repair++) {
      if (repair > repairs) throw new Error(`${phase}: still wrong after ${repairs} more runs:\n${done.cost.output}`);
      done = await prepared(phase, clones, command);
    }
    const after = before === undefined ? undefined : await session.stateBytes();
    if (before !== undefined && after !== undefined) stateBytesPerClone = (after - before) / growth;
    // Of all phases, earlier ones, too: it is what the contender keeps per clone.
    for (const result of mine) result.stateBytesPerClone = stateBytesPerClone;
  }
}

/** Counts what the lab is asked and what that costs it, from now until the function that is returned is called. */
async function watchLab({ lab: { control, pid } }: Session) {
  await control.clearRequests();
  const before = { requests: (await control.requests()).total, cpuSeconds: cpuSecondsOf(pid) };
  return async (clones: number) => {
    const cpuSeconds = cpuSecondsOf(pid) - before.cpuSeconds;
    const { api, total } = await control.requests();
    const requests = total - before.requests;
    // The lab's log keeps the last 50,000: those before are taken to be alike.
    const perClone = requestsPerClone(api, clones) * (requests / Math.max(api.length, 1));
    return { requests, requestsPerClone: perClone, cpuSeconds };
  };
}
