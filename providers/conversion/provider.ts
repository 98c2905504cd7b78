import type { PveClient } from "../../proxmox/client.ts";
import { answerOf, ProxmoxError, TaskError } from "../../proxmox/errors.ts";
import {
  convertToTemplate,
  diskVolumes,
  type GuestConfig,
  isMissing,
  power,
  readConfig,
  readStatus,
} from "../../proxmox/guests.ts";
import { ownerOf } from "../../proxmox/ownership.ts";
import { isBusy, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import { connect } from "../connect.ts";
import { diffByKeys } from "../diff.ts";
import { stage } from "../failure.ts";
import type { Handlers } from "../handlers.ts";
import { type Report, reporter } from "../progress.ts";

export interface ConversionInputs {
  statusUrn: string;
  node: string;
  vmId: number;
  fleetId: string;
  /** false: the VM stays a plain VM; only its ownership is watched. */
  makeTemplate: boolean;
  /** How long a running VM may take to shut down before it is stopped, in seconds. */
  shutdownSeconds: number;
}

export interface ConversionState extends ConversionInputs {
  isTemplate: boolean;
}

const isTemplate = (config: GuestConfig): boolean => Number(config.template ?? 0) === 1;

/** Shuts a running VM down, and stops it when it does not react in time. */
async function powerOff(
  client: PveClient,
  { node, vmId, shutdownSeconds }: ConversionInputs,
  report: Report,
): Promise<void> {
  if ((await readStatus(client, node, vmId)).status !== "running") return;
  report(`VM ${vmId} is running: shutting it down`);
  try {
    await waitForTask(client, await power(client, node, vmId, "shutdown", { timeout: shutdownSeconds }));
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    report(`VM ${vmId} did not shut down (${answerOf(error)}): stopping it`);
    await waitForTask(client, await power(client, node, vmId, "stop"));
  }
}

/** Nothing is left that could still be written to: every disk of a template is a base volume. */
function assertConverted(config: GuestConfig | undefined, vmId: number): void {
  if (!config || !isTemplate(config))
    throw new ProxmoxError("conversion", `PVE says that the conversion went well, but VM ${vmId} has no template: 1`);
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

async function convert(client: PveClient, inputs: ConversionInputs): Promise<void> {
  const { node, vmId, fleetId } = inputs;
  const report = reporter(inputs.statusUrn);
  const before = await readConfig(client, node, vmId);
  if (!before) throw new ProxmoxError("conversion", `VM ${vmId} does not exist on ${node}`);
  assertOurs(before, vmId, fleetId);
  if (!inputs.makeTemplate) return;
  if (!isTemplate(before)) {
    await powerOff(client, inputs, report);
    report(`converting VM ${vmId} to a template`);
    const upid = await withRetry(() => convertToTemplate(client, node, vmId), { when: isBusy });
    if (upid) await waitForTask(client, upid);
  }
  assertConverted(await readConfig(client, node, vmId), vmId);
}

/** The last step of a template: stops the VM if it runs, converts it, and makes sure that it is one. */
export const provider: Handlers<ConversionInputs, ConversionState> = {
  async diff(_config, _id, olds, news) {
    return diffByKeys<ConversionInputs>(olds, news, {
      replacing: ["node", "vmId"],
      updating: ["shutdownSeconds", "fleetId"],
    });
  },

  async create(config, inputs) {
    const { node, vmId } = inputs;
    const next =
      "Look at the VM in the PVE web interface; when the cause is mended, run `pulumi up` again: it goes on with the conversion.";
    await stage({ stage: "convert the VM to a template", node, vmId, next }, () => convert(connect(config), inputs));
    return { id: String(vmId), outs: { ...inputs, isTemplate: inputs.makeTemplate } };
  },

  /** A VM that is no template any more, or that is gone, needs its conversion again. */
  async read(config, _id, state) {
    const found = await readConfig(connect(config), state.node, state.vmId).catch((error) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    return found && isTemplate(found) === state.makeTemplate ? { outs: state } : undefined;
  },

  async update(_config, _id, _olds, news) {
    return { ...news, isTemplate: news.makeTemplate };
  },

  /**
   * A conversion cannot be undone, and the VM's own resource deletes the VM: by its VMID, whoever has it by then. So this
   * one, which is deleted first, stops the run if the VM is not ours any more.
   */
  async delete(config, _id, { node, vmId, fleetId }) {
    const next = `Somebody replaced our VM. If that is right, run \`pulumi refresh\` and, for the VM's resource, \`pulumi state delete\`.`;
    await stage({ stage: "delete the VM", node, vmId, next }, async () => {
      const found = await readConfig(connect(config), node, vmId);
      if (found) assertOurs(found, vmId, fleetId);
    });
  },
};
