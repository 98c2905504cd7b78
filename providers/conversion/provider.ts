import type { PveClient } from "../../proxmox/client.ts";
import { diskVolumes, growDisk } from "../../proxmox/disks.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { convertToTemplate, type GuestConfig, readConfig, readStatus } from "../../proxmox/guests.ts";
import { shutDownVm } from "../../proxmox/power.ts";
import { runTask } from "../../proxmox/task.ts";
import { diffByKeys } from "../dynamic/diff.ts";
import type { Handlers } from "../dynamic/handlers.ts";
import { messagesOf, type Report, reporter, warner } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import { type Look, lookUp, nameOf } from "../guest/lookUp.ts";
import { runOf } from "../run/connect.ts";
import type { Run } from "../run/run.ts";
import { atRest } from "../templateVm/atRest.ts";
import { findRemovable, removeTemplateVm } from "../templateVm/remove.ts";
import { otherOwner, takenOver, takenUp } from "../templateVm/takenOver.ts";

export interface ConversionInputs {
  /** URN under which messages are shown. */
  statusUrn: string;
  node: string;
  vmId: number;
  fleetId: string;
  /** Drive that the VM boots from, for example `scsi0`, and its size. */
  bootDisk: string;
  diskGiB: number;
  /** false: the VM stays a plain VM; only its disk and its ownership are watched. */
  makeTemplate: boolean;
  /** How long a running VM may take to shut down before it is stopped, in seconds. */
  shutdownSeconds: number;
}

export interface ConversionState extends ConversionInputs {
  isTemplate: boolean;
  /** The VM was not there when it was last looked for, or another one stood on its VMID. */
  missing?: true;
  /** By a state of the first version the plugin deletes the VM, by its VMID. */
  pluginDeletes?: true;
}

const isTemplate = (config: GuestConfig): boolean => Number(config.template ?? 0) === 1;

/** Every disk of a template is a base volume, so nothing is left that could still be written to. */
function assertConverted(config: GuestConfig | undefined, vmId: number): void {
  if (!config || !isTemplate(config)) {
    throw new ProxmoxError("conversion", `PVE says that the conversion went well, but VM ${vmId} has no template: 1`);
  }
  const others = Object.entries(diskVolumes(config)).filter(([, volume]) => !/[:/]base-\d+-/.test(volume));
  if (others.length > 0) {
    throw new ProxmoxError(
      "conversion",
      `not every disk became a base volume: ${others.map(([drive, volume]) => `${drive} is ${volume}`).join(", ")}`,
    );
  }
}

/** The HA manager would go on trying to start the template, and move it away from its disks when its node fails. */
async function assertNotHa(client: PveClient, node: string, vmId: number): Promise<void> {
  const { ha } = await readStatus(client, node, vmId);
  if (ha?.managed !== 1) return;
  throw new ProxmoxError(
    "ha",
    `VM ${vmId} is managed by HA, which a template cannot be. Take it out: ha-manager remove vm:${vmId}`,
  );
}

/** The VM that is to be finished, if it is ours and on its node. */
function assertOurs(found: Look, { vmId, node }: ConversionInputs): GuestConfig {
  if (found.kind === "absent") {
    throw new ProxmoxError("missing", `VM ${vmId} does not exist; \`pulumi refresh\` takes it out of the state`);
  }
  if (found.kind !== "vm" || found.owner !== "ours") {
    throw new ProxmoxError("not-ours", `VMID ${vmId} is taken by ${nameOf(found)}, which ${otherOwner(found)}`);
  }
  if (found.node !== node) throw new ProxmoxError("conversion", `VM ${vmId} was moved to node ${found.node}`);
  return found.config;
}

/** Carries on wherever an earlier run stopped: each step looks first whether it has been done. */
async function finish(client: PveClient, inputs: ConversionInputs, report: Report): Promise<void> {
  const { node, vmId, bootDisk, diskGiB, makeTemplate, shutdownSeconds } = inputs;
  // PVE says `template: 1` before it makes the disks base volumes, so its tasks are waited for.
  const before = assertOurs(await atRest(client, inputs, report), inputs);
  if (!isTemplate(before)) {
    if (makeTemplate) await assertNotHa(client, node, vmId);
    const onBegin = () => report(`growing ${bootDisk} of VM ${vmId} to ${diskGiB} GiB`);
    await growDisk(client, { node, vmId }, { drive: bootDisk, sizeGiB: diskGiB, config: before }, { onBegin });
  }
  if (!makeTemplate) return;
  if (!isTemplate(before)) {
    const onBegin = () => report(`VM ${vmId} is running: shutting it down`);
    await shutDownVm(client, { node, vmId }, shutdownSeconds, { onBegin });
    report(`converting VM ${vmId} to a template`);
    await runTask(client, {
      node,
      vmId,
      send: () => convertToTemplate(client, node, vmId),
      isDone: async () => isTemplate((await readConfig(client, node, vmId)) ?? {}),
    });
  }
  assertConverted(await readConfig(client, node, vmId), vmId);
}

async function convert(client: PveClient, inputs: ConversionInputs): Promise<ConversionState> {
  const { node, vmId, makeTemplate } = inputs;
  try {
    await stage({ stage: makeTemplate ? "convert the VM to a template" : "finish the VM", node, vmId }, () =>
      finish(client, inputs, reporter(inputs.statusUrn)),
    );
  } catch (error) {
    // Kept in the state as unfinished, so that the next run goes on and `destroy` deletes the VM.
    throw Object.assign(error as Error, { id: String(vmId), state: { ...inputs, isTemplate: false } });
  }
  return { ...inputs, isTemplate: makeTemplate };
}

/** Notes which resource of the config has the VM. */
function note({ conversions }: Run, vmId: number, ...urns: string[]): void {
  conversions.set(vmId, new Set([...(conversions.get(vmId) ?? []), ...urns]));
}

/**
 * The last step of a template: stops the VM if it runs, converts it, and makes sure that it is one. It is the first that is
 * deleted, and deletes the VM: PVE cannot turn a template back, and the plugin would delete what has the VMID, whoever made it.
 */
export const provider: Handlers<ConversionInputs, ConversionState> = {
  stateVersion: 2,
  migrations: { 1: (old) => ({ ...old, pluginDeletes: true }) },

  missing: ({ fleetId, vmId }) => [...(fleetId ? [] : ["preflight"]), ...(vmId ? [] : ["its VM"])],

  async diff(config, _id, olds, news) {
    note(runOf(config), news.vmId, olds.statusUrn, news.statusUrn);
    if (olds.isTemplate && news.makeTemplate === false && olds.vmId === news.vmId) {
      throw new ProxmoxError(
        "conversion",
        `VM ${olds.vmId} is a template, and PVE cannot turn it back into a VM; makeTemplate: false needs a vmId of its own`,
      );
    }
    const diff = diffByKeys<ConversionInputs>(olds, news, {
      replacing: ["node", "vmId"],
      updating: ["makeTemplate", "bootDisk", "diskGiB", "shutdownSeconds", "fleetId", "statusUrn"],
    });
    const unfinished = olds.isTemplate !== news.makeTemplate || olds.missing || olds.pluginDeletes;
    return unfinished ? { ...diff, changes: true } : diff;
  },

  async create(config, inputs) {
    const run = runOf(config);
    note(run, inputs.vmId, inputs.statusUrn);
    return { id: String(inputs.vmId), outs: await convert(run.client, inputs) };
  },

  /** Never lets itself be taken out of the state: without it, nobody would look whose the VM is before it is deleted. */
  async read(config, _id, state) {
    const { missing: _, ...rest } = state;
    const found = await lookUp(runOf(config).client, state);
    if (found.kind === "unreachable") {
      warner(state.statusUrn)(`node ${found.node} does not answer, so VM ${state.vmId} could not be looked at`);
      return { outs: state };
    }
    const isOurs = found.kind === "vm" && found.owner === "ours";
    if (!isOurs) return { outs: { ...rest, isTemplate: false, missing: true } };
    return { outs: { ...rest, node: found.node, isTemplate: isTemplate(found.config) } };
  },

  async update(config, _id, _olds, news) {
    return convert(runOf(config).client, news);
  },

  async delete(config, _id, state) {
    const run = runOf(config);
    const { statusUrn, pluginDeletes = false } = state;
    const messages = messagesOf(statusUrn);
    const notOurs = (found: Exclude<Look, { kind: "absent" }>) =>
      takenOver(found, state, { conversion: statusUrn, pluginDeletes });
    const { conversions, deletions } = run;
    await deletions.attempt(async () => {
      // Another resource of the config has the VM by now.
      if (conversions.get(state.vmId)?.has(statusUrn) === false) {
        if (pluginDeletes) throw takenUp(state, statusUrn);
        return;
      }
      if (!pluginDeletes) return removeTemplateVm(run, state, messages, notOurs);
      const { node, vmId } = state;
      await stage({ stage: "delete the VM", node, vmId }, () => findRemovable(run, state, messages.report, notOurs));
    });
  },
};
