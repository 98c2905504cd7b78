import { ProxmoxError } from "../../proxmox/errors.ts";
import type { Messages } from "../dynamic/progress.ts";
import { stage, type Where } from "../failure.ts";
import type { Run } from "../run/run.ts";
import { stepsApi } from "./api.ts";
import { alike } from "./cause.ts";
import { movesAway } from "./diff.ts";
import { type CloneInputs, type Place, waits } from "./inputs.ts";
import { type CloneState, compact } from "./state.ts";
import { cloneOrTakeUp } from "./steps/cloneOrTakeUp.ts";
import { configure } from "./steps/configure.ts";
import { extraDisks } from "./steps/extraDisks.ts";
import { find } from "./steps/find.ts";
import { growDisk } from "./steps/growDisk.ts";
import { intoPool } from "./steps/intoPool.ts";
import { migrate } from "./steps/migrate.ts";
import { moveDisks } from "./steps/moveDisks.ts";
import { place } from "./steps/place.ts";
import { power } from "./steps/power.ts";
import { forgetKeys, setKeys } from "./steps/setKeys.ts";
import { checkSnapshot, snapshot } from "./steps/snapshot.ts";
import { waitUntilReady } from "./steps/waitUntilReady.ts";
import type { Work } from "./steps/work.ts";

/** What is known of a clone before anything is made. */
export const unmade = ({ stack, fleetId, vmId, set, keepDisks }: CloneInputs): CloneState => ({
  spec: { stack, fleetId, vmId, set, ...(keepDisks && { keepDisks }) },
  status: "failed",
});

/** The steps from nothing, or from what is there, to what the config says; each can be repeated. */
async function takeSteps(run: Run, work: Work, before: CloneState): Promise<void> {
  const { inputs, state, messages } = work;
  const { vmId, name, full, templateDatastore, datastore = templateDatastore } = inputs;
  const api = stepsApi(run, work);
  const at = (doing: string): Where => ({
    stage: `${doing} ${name}`,
    node: state.node ?? inputs.places[0]?.node ?? "",
    vmId,
  });

  // What a killed run has left half-way shows where a clone is made, or was not finished.
  if (inputs.disks && (!before.made || before.status === "failed"))
    work.holder = await stage(at("look for the disks of"), () => api.findHolder());
  if (before.made) {
    await stage(at("find"), () => find(api, work));
    forgetKeys(work, before);
    await stage(at("take a snapshot of"), () => checkSnapshot(api, work, before));
    if (movesAway(state, inputs)) await stage(at("migrate"), async () => migrate(api, work, await place(api, inputs)));
  } else {
    const to: Place = await stage(at("find a node for"), () => place(api, inputs, work.holder));
    const { node, sourceVmId, sourceNode = node } = to;
    const cloning = {
      ...at("make"),
      stage: `make ${name}, a ${full ? "full" : "linked"} clone of template ${sourceVmId}`,
      node,
      datastore,
    };
    await run.limiter.run({ node: sourceNode, datastore, sourceVmId, onWait: messages.report }, () =>
      stage(cloning, () => cloneOrTakeUp(api, work, to)),
    );
  }
  await stage(at("set the pool of"), () => intoPool(api, work));
  await stage({ ...at("move the disks of"), datastore }, () => moveDisks(api, work));
  // PVE moves and deletes no disk that has snapshots.
  if (before.made) await stage(at("set up the disks of"), () => extraDisks(api, work));
  await stage(at("take a snapshot of"), () => snapshot(api, work, before));
  await stage(at("configure"), () => configure(api, work));
  await stage(at("grow the disk of"), () => growDisk(api, work));
  if (!before.made) await stage(at("set up the disks of"), () => extraDisks(api, work));
  await stage({ ...at("start"), datastore }, () => power(api, work, before));
  await stage(at("wait for"), () => waitUntilReady(api, work, before));
  await stage(at("set the SSH keys of"), () => setKeys(api, work));
}

/** Lines of a warning by which it is alike: the task log below them has times and numbers. */
const ALIKE_LINES = 3;

/** Messages that warn of what many clones have in common at the first of them alone; the summary names them all. */
function toldOnce({ told }: Run, inputs: CloneInputs, messages: Messages): Messages {
  return {
    ...messages,
    warn(text) {
      const lines = text.split("\n", ALIKE_LINES);
      const key = alike(lines.join("\n"), inputs);
      if (told.has(key)) messages.report(lines[0] ?? "");
      else messages.warn(text);
      told.add(key);
    },
  };
}

/**
 * Makes the clone, or what is missing of it. A failure is the clone's own: it is told, kept in the state, and tried again by
 * the next run; the engine, which would stop all others, hears nothing of it.
 *
 * @throws what went wrong with the cluster as a whole, with what is known of the clone: then the run ends with an error
 */
export async function converge(
  run: Run,
  inputs: CloneInputs,
  all: Messages,
  before = unmade(inputs),
): Promise<CloneState> {
  const { vmId, name, set, maxUnavailable = 1 } = inputs;
  const messages = toldOnce(run, inputs, all);
  const rollout = run.rollouts.enter(vmId, set, maxUnavailable);
  // What went wrong in the last run is told anew if it does so again.
  const { error: _, ...known } = before;
  const work: Work = { inputs, messages, state: { ...known }, isNew: false, started: false };
  const { state } = work;
  rollout.begin(vmId);
  try {
    if (run.outage) throw new ProxmoxError("not-tried", `not tried: ${run.outage.message.split("\n", 2).join("; ")}`);
    await takeSteps(run, work, before);
    // The template's datastore and content are what a clone is made from; the rest has been brought to the VM.
    // User, password and keys are of the first boot: no later run asks for them.
    const { account: _ofNew, ...brought } = inputs;
    state.spec = state.spec.disks ? { ...brought, disks: state.spec.disks } : brought;
    messages.report(`${name}: ${state.status}`);
    if (waits(inputs, state.made) && state.status !== "ready") rollout.unhealthy(vmId, "not ready in time");
    else rollout.healthy(vmId);
    return compact(state);
  } catch (error) {
    const { message } = error as Error;
    rollout.unhealthy(vmId, message.split("\n", 1)[0] ?? "failed");
    const failed = compact({ ...state, status: "failed", error: message });
    if (run.isNewOutage(error)) throw Object.assign(error as Error, { id: String(vmId), state: failed });
    if (!run.outage)
      messages.warn(`${name} failed; the other clones go on, and the next \`pulumi up\` tries it again\n${message}`);
    return failed;
  }
}
