import { randomUUID } from "node:crypto";
import pLimit, { type LimitFunction } from "p-limit";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { readStatus } from "../../proxmox/guests.ts";
import { connect } from "../connect.ts";
import { changedKeys } from "../diff.ts";
import { stage } from "../failure.ts";
import type { Handlers } from "../handlers.ts";
import { type Report, reporter, warner } from "../progress.ts";
import { finish, type Says } from "./finish.ts";
import { type CloneInputs, type CloneState, observed, UPDATING } from "./inputs.ts";
import { makeClone } from "./makeClone.ts";
import { findOurs } from "./owner.ts";
import { removeClone } from "./remove.ts";

export type { CloneInputs, CloneState } from "./inputs.ts";

/** First pause before something is tried again, in milliseconds; tests have less time. */
export const pacing = { pauseMs: 1000 };

/** PVE lets about four tasks at a time write to a datastore; more of them meet its lock and fail after a while. */
const AT_A_TIME = 4;
const limits = new Map<string, LimitFunction>();

/** Runs work when it is its turn on the clone's datastore. */
function inTurn<T>({ node, datastore }: CloneInputs, report: Report, work: () => Promise<T>): Promise<T> {
  const key = `${node}/${datastore}`;
  const limit = limits.get(key) ?? pLimit(AT_A_TIME);
  limits.set(key, limit);
  if (limit.activeCount >= AT_A_TIME) report(`waiting for its turn: PVE takes ${AT_A_TIME} at a time on ${datastore}`);
  return limit(work);
}

const saysOf = ({ statusUrn }: CloneInputs): Says => ({ report: reporter(statusUrn), warn: warner(statusUrn) });

/** The engine keeps a resource that failed half-way if the error says what there is; the next run then updates it. */
function partialFailure(error: Error, inputs: CloneInputs, running: boolean): Error {
  const provider = (inputs as unknown as Record<string, unknown>).__provider;
  return Object.assign(error, {
    id: String(inputs.vmId),
    properties: { ...inputs, running, __provider: provider },
    reasons: [error.message],
  });
}

/** A clone of a template: made, configured, started. */
export const provider: Handlers<CloneInputs, CloneState> = {
  // A migrated VM is where it is: node, template and datastore only say how a new one is made.
  async diff(_config, _id, olds, news) {
    const replaces = changedKeys<CloneInputs>(olds, news, ["vmId", "full"]);
    const updates = changedKeys<CloneInputs>(olds, news, UPDATING);
    const stopped = news.start && !olds.running;
    return { changes: replaces.length > 0 || updates.length > 0 || stopped, replaces, deleteBeforeReplace: true };
  },

  async create(config, inputs) {
    const client = connect(config);
    const says = saysOf(inputs);
    const { node, vmId, sourceVmId, name, full } = inputs;
    const where = { node, vmId, datastore: inputs.datastore };
    const cloning = { ...where, stage: `make ${name}, a ${full ? "full" : "linked"} clone of template ${sourceVmId}` };
    const found = await inTurn(inputs, says.report, () =>
      stage(cloning, () => makeClone(client, inputs, says.report, pacing.pauseMs)),
    );
    const placed = { ...inputs, node: found?.node ?? node };
    // PVE has given the clone a UUID; a new one of ours saves asking for it.
    const smbios = found ? String(found.config.smbios1 ?? "") : `uuid=${randomUUID()}`;
    const existing = found !== undefined;
    try {
      const outs = await stage({ ...where, node: placed.node, stage: `configure and start ${name}` }, () =>
        finish(client, placed, { smbios, existing }, says, pacing.pauseMs),
      );
      return { id: String(vmId), outs };
    } catch (error) {
      throw partialFailure(error as Error, placed, false);
    }
  },

  async read(config, _id, state) {
    const client = connect(config);
    const { node, vmId, name } = state;
    return stage({ stage: `look at ${name}`, node, vmId }, async () => {
      const [found] = await findOurs(client, state);
      if (!found) return undefined;
      const { status } = await readStatus(client, found.node, vmId);
      const inputs = observed(state, found.node, found.config);
      return { outs: { ...inputs, running: status === "running" }, inputs };
    });
  },

  async update(config, _id, olds, news) {
    const client = connect(config);
    const { vmId, name } = news;
    const { node, running } = olds;
    try {
      return await stage({ stage: `bring ${name} up to date`, node, vmId }, async () => {
        const [found, whose] = await findOurs(client, olds);
        if (!found) {
          const gone = whose ? `VMID ${vmId} is taken by ${whose}` : `VM ${vmId} is gone`;
          throw new ProxmoxError("missing", `${gone}; \`pulumi refresh\` takes the clone out of the state`);
        }
        const smbios = String(found.config.smbios1 ?? "");
        return finish(client, { ...news, node: found.node }, { smbios, existing: true }, saysOf(news), pacing.pauseMs);
      });
    } catch (error) {
      throw partialFailure(error as Error, { ...news, node }, running);
    }
  },

  async delete(config, _id, state) {
    const client = connect(config);
    const { node, vmId, name } = state;
    const { report, warn } = saysOf(state);
    await stage({ stage: `delete ${name}`, node, vmId }, async () => {
      const [found, whose] = await findOurs(client, state);
      if (whose) warn(`VMID ${vmId} is taken by ${whose}; it is left alone`);
      if (found) await inTurn(state, report, () => removeClone(client, state, found, report, pacing.pauseMs));
    });
  },
};
