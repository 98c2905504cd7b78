import { diffByKeys } from "../dynamic/diff.ts";
import type { Handlers } from "../dynamic/handlers.ts";
import { messagesOf } from "../dynamic/progress.ts";
import { runOf } from "../run/connect.ts";
import { removeTemplateVm } from "./remove.ts";

export interface GuardInputs {
  /** URN under which messages are shown. */
  statusUrn: string;
  node: string;
  vmId: number;
  fleetId: string;
}

/**
 * Stands before the VM of a template: it is made before the VM and deleted after it. The plugin deletes no VM (the VM's
 * `retainOnDelete`), and the conversion deletes it, if there is one: a run that was killed after the VM was made has left none.
 * Then the VM is deleted here.
 */
export const provider: Handlers<GuardInputs, GuardInputs> = {
  stateVersion: 1,

  missing: ({ fleetId }) => (fleetId ? [] : ["preflight"]),

  async diff(_config, _id, olds, news) {
    return diffByKeys<GuardInputs>(olds, news, {
      replacing: ["vmId"],
      updating: ["node", "fleetId", "statusUrn"],
    });
  },

  async create(_config, inputs) {
    return { id: String(inputs.vmId), outs: inputs };
  },

  async read(_config, _id, state) {
    return { outs: state };
  },

  async update(_config, _id, _olds, news) {
    return news;
  },

  async delete(config, _id, state) {
    const run = runOf(config);
    // Another VM on the VMID is nobody's business here: ours is gone.
    const notOurs = () => undefined;
    await run.deletions.attempt(() => removeTemplateVm(run, state, messagesOf(state.statusUrn), notOurs));
  },
};
