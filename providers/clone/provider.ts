import { ProxmoxError } from "../../proxmox/errors.ts";
import { locate } from "../../proxmox/guests.ts";
import { access } from "../connect.ts";
import type { Handlers } from "../dynamic/handlers.ts";
import { stage } from "../failure.ts";
import { diff, waits } from "./diff.ts";
import { ensure, pacing, runOf } from "./ensure.ts";
import { type CloneInputs, type CloneState, SHUTDOWN_SECONDS } from "./inputs.ts";
import { liveStatus } from "./liveStatus.ts";
import { observed } from "./options.ts";
import { notOurs } from "./owner.ts";
import { shutDown } from "./power.ts";
import { assertUnprotected, removeVm } from "./remove.ts";
import { rolloutOf } from "./rollout.ts";
import { inTurn } from "./turns.ts";
import { atRest } from "./unfinished.ts";

/** A clone of a template: made, configured, started, ready. */
export const provider: Handlers<CloneInputs, CloneState> = {
  async check(_config, olds, news) {
    const { diskGiB: had = 0, name } = olds;
    const { diskGiB: wants } = news;
    const shrinks = typeof wants === "number" && wants < had && olds.vmId === news.vmId;
    const reason = `the disk of ${name} has ${had} GiB, and PVE cannot shrink disks; expected at least that, found ${wants}`;
    return { inputs: news, ...(shrinks && { failures: [{ property: "diskGiB", reason }] }) };
  },

  async diff(_config, _id, olds, news) {
    const result = diff(olds, news);
    const rollout = rolloutOf(news);
    rollout.limit = news.maxUnavailable ?? 1;
    if ((result.replaces ?? []).length > 0) rollout.replacing.add(olds.vmId);
    return result;
  },

  async create(config, inputs) {
    return { id: String(inputs.vmId), outs: await ensure(config, inputs) };
  },

  async read(config, _id, state) {
    const { client } = access(config);
    const { node = state.places[0]?.node ?? "", vmId, name } = state;
    return stage({ stage: `look at ${name}`, node, vmId }, async () => {
      const found = await locate(client, node, vmId);
      // What a clone task that died has left is in the way of the next run, which knows what to do about it.
      if (found?.config.lock === "clone" && state.template === undefined) return { outs: state };
      if (!found || notOurs(found, state) !== undefined) return undefined;
      const running = (await liveStatus(client, found.node, vmId)) === "running";
      const { node: _n, address, addresses, status: was, pendingReboot, error, ...old } = state;
      const inputs = observed(old, found.config);
      const status = was === "failed" ? was : !running ? "stopped" : was === "stopped" ? "running" : was;
      const outs: CloneState = {
        ...inputs,
        node: found.node,
        status,
        ...(running && { ...(address && { address }), ...(addresses && { addresses }) }),
        ...(running && pendingReboot && { pendingReboot }),
        ...(status === was && error && { error }),
      };
      return { outs, inputs };
    });
  },

  async update(config, _id, olds, news) {
    const next = treated(olds, news);
    // Nothing that the VM would have to be asked for.
    if (!waits(news) && !diff(next, news).changes) return next;
    return ensure(config, news, olds);
  },

  async delete(config, _id, state) {
    const { client, cluster, says } = runOf(config, state);
    const { vmId, name, datastore, shutdownSeconds = SHUTDOWN_SECONDS } = state;
    const node = state.node ?? state.places[0]?.node ?? "";
    const rollout = rolloutOf(state);
    const isReplacement = rollout.replacing.has(vmId);
    if (isReplacement) await stage({ stage: `replace ${name}`, node, vmId }, () => rollout.enter(vmId));
    try {
      await stage({ stage: `delete ${name}`, node, vmId }, async () => {
        const found = await atRest(client, { ...state, node }, says.report, pacing.pauseMs);
        if (!found) return;
        const whose = notOurs(found, state);
        // A clone that was never made is not missed.
        if (whose !== undefined && state.template === undefined) return;
        if (whose !== undefined) {
          const text = `VMID ${vmId} is taken by ${whose}; it is not deleted. \`pulumi refresh\` takes the clone out of the state`;
          throw new ProxmoxError("not-ours", text);
        }
        assertUnprotected(found, vmId);
        const guest = { node: found.node, vmId, name };
        await shutDown(client, guest, shutdownSeconds, says.report, pacing.pauseMs);
        await inTurn(client, { node: found.node, datastore }, cluster.limits, says.report, () =>
          removeVm(client, guest, says.report, pacing.pauseMs),
        );
      });
    } catch (error) {
      if (isReplacement) rollout.unhealthy(vmId, "it could not be deleted");
      throw error;
    }
    if (isReplacement) rollout.gone(vmId);
  },
};

/** The state with what the config says of how the clone is treated. */
function treated(olds: CloneState, { waitFor, shutdownSeconds }: CloneInputs): CloneState {
  const { waitFor: _w, shutdownSeconds: _s, ...rest } = olds;
  return { ...rest, ...(waitFor && { waitFor }), ...(shutdownSeconds !== undefined && { shutdownSeconds }) };
}
