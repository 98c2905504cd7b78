import { Part } from "../../fleet/part.ts";
import { cloneSetUrn, cloneUrn } from "../../fleet/urns.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import type { ConfigReader, Handlers } from "../dynamic/handlers.ts";
import { messagesOf } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import { selection } from "../run/commandLine.ts";
import { readStackConfig, runOf } from "../run/connect.ts";
import { converge } from "./converge.ts";
import { diff } from "./diff.ts";
import { disksOfRun } from "./disksOfRun.ts";
import { type CloneInputs, waits, waitsOtherwise } from "./inputs.ts";
import { look } from "./look.ts";
import { shrinking } from "./ownDisks.ts";
import { remove, removeHolder } from "./remove.ts";
import { type CloneState, VERSIONS } from "./state.ts";

/** How many clones of a set the run is about. */
function clonesInRun(config: ConfigReader, fullStack: string, key: string): number {
  const { templates, cloneSets } = readStackConfig(config, runOf(config).resolved);
  const set = cloneSets[key];
  if (!set) return 0;
  const [, project = "", stack = ""] = fullStack.split("/");
  const part = new Part({ project, stack }, selection());
  return set.clones.filter(({ vmId }) => part.hasClone(key, { vmId, template: set.template }, templates)).length;
}

/** Whether the config means a VMID for a VM of its own. */
function reservedIn(config: ConfigReader): (vmId: number) => boolean {
  const { templates, cloneSets, leftOut } = readStackConfig(config, runOf(config).resolved);
  const sets = Object.values({ ...cloneSets, ...leftOut });
  const vms = [...Object.values({ ...templates }), ...sets.flatMap(({ clones }) => clones)];
  const all = new Set(vms.map(({ vmId }) => vmId));
  return (vmId) => all.has(vmId);
}

/** Works on a clone, and says now and then how far its set is. */
async function working(
  config: ConfigReader,
  { stack, set, vmId, start, waitFor }: CloneInputs,
  work: () => Promise<CloneState>,
): Promise<CloneState> {
  const { progress } = runOf(config);
  progress.begin(set, vmId);
  let good = false;
  try {
    const state = await work();
    good = state.status !== "failed" && state.error === undefined;
    return state;
  } finally {
    const text = progress.end(set, vmId, {
      good,
      word: start && waitFor !== "none" ? "ready" : "done",
      total: () => clonesInRun(config, stack, set),
    });
    if (text) messagesOf(cloneSetUrn(stack, set)).report(text);
  }
}

const messagesFor = ({ stack, vmId }: Pick<CloneInputs, "stack" | "vmId">) => messagesOf(cloneUrn(stack, vmId));

/** A clone of a template: made, configured, started, ready. */
export const provider: Handlers<CloneInputs, CloneState> = {
  ...VERSIONS,

  missing({ fleetId, places }) {
    return [
      ...(fleetId ? [] : ["preflight"]),
      ...(places.every(({ sourceVmId }) => sourceVmId) ? [] : ["its template"]),
    ];
  },

  async check(config, olds, news) {
    if (olds.vmId === undefined) runOf(config).progress.expect(news.set, news.vmId);
    const { diskGiB: had = 0, name } = olds;
    const { diskGiB: wants } = news;
    // What it was made with is what there is to compare with when it is no longer kept.
    if (news.keep && olds.vmId !== undefined) return { inputs: { ...(olds as CloneInputs), keep: true } };
    const shrinks = typeof wants === "number" && wants < had && olds.vmId === news.vmId;
    const reason = `the disk of ${name} has ${had} GiB, and PVE cannot shrink disks; expected at least that, found ${wants}`;
    const smaller = olds.vmId === news.vmId ? shrinking(olds.disks, news.disks, name) : undefined;
    const failures = [
      ...(shrinks ? [{ property: "diskGiB", reason }] : []),
      ...(smaller === undefined ? [] : [{ property: "disks", reason: smaller }]),
    ];
    return { inputs: news, ...(failures.length > 0 && { failures }) };
  },

  async diff(config, _id, state, news) {
    const result = diff(state, news);
    const run = runOf(config);
    if (result.changes) run.progress.expect(news.set, news.vmId);
    else run.progress.unchanged(news.set, news.vmId);
    const rollout = run.rollouts.enter(news.vmId, news.set, news.maxUnavailable ?? 1);
    if (result.replaces.length > 0) rollout.replacing.add(state.spec.vmId);
    // Of a clone that is deleted for good, the engine asks for no difference.
    if (news.keepDisks) disksOfRun(run).wanted.set(state.spec.vmId, news);
    return result;
  },

  async create(config, { keep, ...inputs }) {
    if (keep)
      throw new ProxmoxError(
        "kept",
        `createClones: keep makes no clone, and ${inputs.name} (VM ${inputs.vmId}) would be made: it is gone, or to be replaced. Take it out of cloneSets.${inputs.set}, or set createClones: true`,
      );
    const run = runOf(config);
    run.created.add(inputs.vmId);
    return {
      id: String(inputs.vmId),
      outs: await working(config, inputs, () => converge(run, inputs, messagesFor(inputs))),
    };
  },

  async read(config, _id, state) {
    const { node = "", spec } = state;
    const { vmId, name = `VM ${vmId}` } = spec;
    return stage({ stage: `look at ${name}`, node, vmId }, async () => {
      const outs = await look(runOf(config), state, messagesFor(spec));
      return outs && { outs, inputs: inputsOf(outs) };
    });
  },

  async update(config, _id, state, news) {
    const run = runOf(config);
    const treated = withTreatment(state, news);
    // Nothing that the VM, or its guest, would have to be asked for.
    const { made, status, spec } = state;
    const isOther = waitsOtherwise(spec, news, made);
    const waitsForMore = isOther && waits(news, made);
    // What it was not ready for is not asked for any more.
    const isReadyNow = isOther && !waits(news, made) && status === "running";
    if (!waitsForMore && !isReadyNow && !diff(treated, news).changes) return treated;
    return working(config, news, () => converge(run, news, messagesFor(news), state));
  },

  async delete(config, _id, state) {
    const run = runOf(config);
    const { vmId } = state.spec;
    const rollout = run.rollouts.of(vmId);
    const isReplacement = rollout.replacing.has(vmId);
    // A clone that is replaced is deleted first; so another resource has taken this one's VM up. In states of earlier
    // versions, a clone that moves to another set is another resource.
    if (run.created.has(vmId)) return;
    const { node = "", spec } = state;
    if (isReplacement) {
      const where = { stage: `replace ${spec.name ?? `VM ${vmId}`}`, node, vmId };
      await stage(where, () => rollout.enter(vmId)).catch((error) => run.deletions.hold(error));
    }
    try {
      await run.deletions.attempt(async () => {
        const next = disksOfRun(run).wanted.get(vmId);
        const messages = messagesFor(state.spec);
        await remove(run, state, messages, next && { next, isReserved: reservedIn(config) });
        if (!next && !isReplacement && spec.keepDisks) await removeHolder(run, state, messages);
      });
    } catch (error) {
      if (isReplacement) rollout.unhealthy(vmId, "it could not be deleted");
      throw error;
    }
    if (isReplacement) rollout.gone(vmId);
  },
};

/** The spec with what the config says of how the clone is treated, which nobody has to bring to the VM. */
function withTreatment({ givenKeys, oldKeys, ...state }: CloneState, news: CloneInputs): CloneState {
  const { start, waitFor, addressByAgent, shutdownSeconds, firstBoot, keepDisks } = news;
  const {
    start: _s,
    waitFor: _w,
    addressByAgent: _a,
    shutdownSeconds: _d,
    firstBoot: _f,
    keepDisks: _k,
    ...others
  } = state.spec;
  const { rotateKeys, ...rest } = others;
  const treatment = {
    start,
    ...(waitFor && { waitFor }),
    ...(addressByAgent && { addressByAgent }),
    ...(shutdownSeconds !== undefined && { shutdownSeconds }),
    ...(keepDisks && { keepDisks }),
    ...(firstBoot !== undefined && { firstBoot }),
  };
  // Whoever wants a guest's keys set again takes `rotateKeys` out of the config and puts it back.
  const keys = { ...(givenKeys && { givenKeys }), ...(oldKeys && { oldKeys }) };
  const rotated = news.rotateKeys && rotateKeys && { rotateKeys };
  return { ...state, ...(news.rotateKeys && keys), spec: { ...rest, ...treatment, ...rotated } };
}

/** What the engine compares the config with after a refresh, and shows: also that the VM does not run any more. */
function inputsOf({ spec, status, made }: CloneState): CloneInputs {
  return {
    ...(spec as CloneInputs),
    ...(made && { template: made.template, full: made.full }),
    ...(status === "stopped" && { start: false }),
  };
}
