import { ownerOf } from "../../fleet/ownership.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { diskVolumes, growDisk } from "../../proxmox/disks.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { convertToTemplate, type GuestConfig, readConfig } from "../../proxmox/guests.ts";
import { shutDownVm } from "../../proxmox/power.ts";
import { runTask, waitForTasksOf } from "../../proxmox/task.ts";
import { diffByKeys } from "../dynamic/diff.ts";
import type { Handlers } from "../dynamic/handlers.ts";
import { type Report, reporter } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import { runOf } from "../run/connect.ts";

export interface ConversionInputs {
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
}

const isTemplate = (config: GuestConfig): boolean => Number(config.template ?? 0) === 1;

/** Nothing is left that could still be written to: every disk of a template is a base volume. */
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

function assertOurs({ name = "no name", description }: GuestConfig, vmId: number, fleetId: string): void {
  if (ownerOf(description, vmId, fleetId) === "ours") return;
  throw new ProxmoxError(
    "not-ours",
    `VM ${vmId} (${name}) does not carry this stack's mark in its notes; it is left alone`,
  );
}

/** Carries on wherever an earlier run stopped: each step looks first whether it has been done. */
async function finish(client: PveClient, inputs: ConversionInputs, report: Report): Promise<void> {
  const { node, vmId, fleetId, bootDisk, diskGiB } = inputs;
  // PVE says `template: 1` before it makes the disks base volumes.
  await waitForTasksOf(client, node, vmId, (type) =>
    report(`waiting for PVE, which is still busy with VM ${vmId} (${type})`),
  );
  const before = await readConfig(client, node, vmId);
  if (!before) throw new ProxmoxError("conversion", `VM ${vmId} does not exist on ${node}`);
  assertOurs(before, vmId, fleetId);
  if (!isTemplate(before)) {
    const onBegin = () => report(`growing ${bootDisk} of VM ${vmId} to ${diskGiB} GiB`);
    await growDisk(client, { node, vmId }, { drive: bootDisk, sizeGiB: diskGiB, config: before }, { onBegin });
  }
  if (!inputs.makeTemplate) return;
  if (!isTemplate(before)) {
    const onBegin = () => report(`VM ${vmId} is running: shutting it down`);
    await shutDownVm(client, { node, vmId }, inputs.shutdownSeconds, { onBegin });
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
    // Kept in the state as unfinished: so `destroy` asks `delete` below before it deletes the VM.
    throw Object.assign(error as Error, { id: String(vmId), state: { ...inputs, isTemplate: false } });
  }
  return { ...inputs, isTemplate: makeTemplate };
}

/** What a VM is in the way of being deleted by, for a person; PVE says it in the middle of the work. */
function assertDeletable({ name = "no name", protection, lock }: GuestConfig, vmId: number): void {
  if (Number(protection ?? 0) === 1) {
    throw new ProxmoxError(
      "protected",
      `VM ${vmId} (${name}) is protected. Set protection: false in its template's config and run \`pulumi up\` first`,
    );
  }
  if (lock) throw new ProxmoxError("locked", `VM ${vmId} (${name}) is locked (${lock})`);
}

/** The last step of a template: stops the VM if it runs, converts it, and makes sure that it is one. */
export const provider: Handlers<ConversionInputs, ConversionState> = {
  stateVersion: 1,

  async diff(_config, _id, olds, news) {
    if (olds.isTemplate && news.makeTemplate === false && olds.vmId === news.vmId) {
      throw new ProxmoxError(
        "conversion",
        `VM ${olds.vmId} is a template, and PVE cannot turn it back into a VM; makeTemplate: false needs a vmId of its own`,
      );
    }
    const diff = diffByKeys<ConversionInputs>(olds, news, {
      replacing: ["node", "vmId"],
      updating: ["makeTemplate", "bootDisk", "diskGiB", "shutdownSeconds", "fleetId"],
    });
    return olds.isTemplate === news.makeTemplate ? diff : { ...diff, changes: true };
  },

  async create(config, inputs) {
    return { id: String(inputs.vmId), outs: await convert(runOf(config).client, inputs) };
  },

  /** A VM that is no template any more is still ours to watch: the next run converts it again. */
  async read(config, _id, state) {
    const found = await readConfig(runOf(config).client, state.node, state.vmId);
    return found && { outs: { ...state, isTemplate: isTemplate(found) } };
  },

  async update(config, _id, _olds, news) {
    return convert(runOf(config).client, news);
  },

  /**
   * A conversion cannot be undone, and the VM's own resource deletes the VM: by its VMID, whoever has it by then. So this
   * one, which is deleted first, stops the run if the VM is not ours any more, or cannot be deleted.
   */
  async delete(config, _id, { node, vmId, fleetId }) {
    const found = await readConfig(runOf(config).client, node, vmId);
    if (!found) return;
    const next = `Somebody put another VM in its place. If that is right, let the state forget ours: pulumi state delete --target-dependents <URN of its VmLegacy> (URNs: pulumi stack --show-urns)`;
    await stage({ stage: "delete the VM", node, vmId, next }, async () => assertOurs(found, vmId, fleetId));
    await stage({ stage: "delete the VM", node, vmId }, async () => assertDeletable(found, vmId));
  },
};
