import type { Params } from "../../../proxmox/client.ts";
import { answerOf, TaskError } from "../../../proxmox/errors.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import type { RunOptions } from "../../../proxmox/task.ts";
import { failure } from "../../failure.ts";
import type { Place } from "../inputs.ts";
import { percentOf } from "./percent.ts";
import { vmOf, type Work } from "./work.ts";

export interface MigrateApi {
  migrate(vm: { node: string; vmId: number }, target: string, options: RunOptions): Promise<void>;
  readConfig(node: string, vmId: number): Promise<GuestConfig | undefined>;
  setOptions(vm: { node: string; vmId: number }, options: Params): Promise<unknown>;
}

/** PVE refuses to copy a disk that stands on a template's: a linked clone stays where its template is. */
const isLinked = (error: unknown): boolean =>
  error instanceof TaskError && /as it's a clone of|linked clone/i.test([answerOf(error), ...error.log].join("\n"));

/** Moves a clone to another node, running or not. */
export async function migrate(api: MigrateApi, work: Work, place: Place): Promise<void> {
  const { inputs, state, messages } = work;
  const { vmId, name } = inputs;
  const { node: target, sourceVmId, sourceNode } = place;
  const vm = vmOf(work);
  messages.report(`migrating ${name} from ${vm.node} to ${target}`);
  try {
    await api.migrate(vm, target, {
      onLog: (line) => {
        const percent = percentOf(line);
        if (percent !== undefined) messages.progress(`migrating ${name} to ${target}`, percent);
      },
    });
  } catch (error) {
    const next = `A linked clone whose disks are on a datastore of node ${vm.node} alone stays there: put the node back into the config, or give the clone another vmId to have a new one made on ${target}.`;
    throw failure(error, {
      stage: `migrate ${name} to ${target}`,
      ...vm,
      ...(isLinked(error) && { next }),
    });
  }
  state.node = target;
  state.spec = { ...state.spec, places: inputs.places };
  // The other node may have the template's snippets under the names of its own replica.
  const had = work.config?.cicustom;
  if (had === undefined || sourceNode !== undefined) return;
  const { instanceId, firstBoot } = state.made ?? {};
  const own = (instanceId ?? firstBoot) === undefined ? undefined : place.cicustom;
  // Those that it was made with are on its old node, and PVE would not start it without any.
  if (own !== undefined && firstBoot !== inputs.firstBoot)
    messages.warn(
      `${name} gets the first-boot snippets of the config, as those that it was made with are not on ${target}`,
    );
  const cicustom = own ?? (await api.readConfig(target, sourceVmId))?.cicustom;
  if (cicustom !== undefined && cicustom !== had)
    await api.setOptions({ node: target, vmId }, { cicustom: String(cicustom) });
}
