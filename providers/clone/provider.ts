import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import pLimit, { type LimitFunction } from "p-limit";
import { smbiosSerial } from "../../components/cloudInit/hostname.ts";
import { withSerial } from "../../components/cloudInit/smbios.ts";
import type { Params, PveClient } from "../../proxmox/client.ts";
import { answerOf, ProxmoxError } from "../../proxmox/errors.ts";
import {
  cloneGuest,
  destroyGuest,
  type GuestConfig,
  isMissing,
  locate,
  power,
  readStatus,
  writeConfig,
} from "../../proxmox/guests.ts";
import { ownerOf } from "../../proxmox/ownership.ts";
import { isBusy, isTransient, withRetry } from "../../proxmox/retry.ts";
import { waitForTask } from "../../proxmox/task.ts";
import { connect } from "../connect.ts";
import { changedKeys } from "../diff.ts";
import { stage } from "../failure.ts";
import type { Handlers } from "../handlers.ts";
import { type Report, reporter } from "../progress.ts";
import { waitForClone } from "./unfinished.ts";

export interface CloneInputs {
  statusUrn: string;
  node: string;
  sourceVmId: number;
  vmId: number;
  /** VM name. */
  name: string;
  /** Host name of the guest, with its domain if there is one. */
  hostname: string;
  full: boolean;
  /** Datastore of a full clone. */
  datastore?: string;
  /** PVE's `ipconfig0`. */
  ipConfig: string;
  nameservers: string[];
  searchDomain?: string;
  /** PVE's `description`, with the mark. */
  notes: string;
  fleetId: string;
  tags: string[];
  onBoot: boolean;
  start: boolean;
}

export interface CloneState extends CloneInputs {
  running: boolean;
}

/** PVE lets about four clones at a time write to a datastore; more of them meet its lock and fail (docs/decisions). */
const CLONES_AT_A_TIME = 4;
const limits = new Map<string, LimitFunction>();

function limited<T>(key: string, report: Report, work: () => Promise<T>): Promise<T> {
  const limit = limits.get(key) ?? pLimit(CLONES_AT_A_TIME);
  limits.set(key, limit);
  if (limit.activeCount >= CLONES_AT_A_TIME)
    report(`waiting for its turn: PVE takes ${CLONES_AT_A_TIME} clones at a time`);
  return limit(work);
}

/** The options that this program sets on a clone; what is not in here stays as the template has it. */
function options({ name, notes, ipConfig, nameservers, searchDomain, tags, onBoot }: CloneInputs): Params {
  return {
    name,
    description: notes,
    ipconfig0: ipConfig,
    onboot: onBoot,
    tags: tags.join(";"),
    ...(nameservers.length > 0 && { nameserver: nameservers.join(" ") }),
    ...(searchDomain && { searchdomain: searchDomain }),
  };
}

/** Makes the VM; one of ours that a killed run left is taken up where it was left. */
async function makeClone(client: PveClient, inputs: CloneInputs, report: Report): Promise<void> {
  const { node, sourceVmId, vmId, name, full, datastore, notes } = inputs;
  const attempt = async (): Promise<void> => {
    try {
      report(`cloning VM ${sourceVmId} to ${vmId}`);
      const upid = await cloneGuest(client, node, sourceVmId, {
        newid: vmId,
        name,
        description: notes,
        full,
        ...(full && { storage: datastore }),
      });
      await waitForTask(client, upid);
    } catch (error) {
      // Taken, or taken by our own request whose answer got lost.
      if (!/already exists|File exists/i.test(answerOf(error)) && !isTransient(error)) throw error;
      const existing = await waitForClone(client, node, vmId, report);
      if (!existing) throw error;
      if (ownerOf(existing.description, vmId, inputs.fleetId) !== "ours") {
        throw new ProxmoxError(
          "not-ours",
          `VMID ${vmId} is taken by "${existing.name ?? "a VM without name"}", which this stack did not make; it is left alone. Choose another vmId`,
        );
      }
    }
  };
  await withRetry(attempt, {
    when: isTransient,
    pauseMs: 1000,
    onRetry: (error, number, attempts) => report(`clone failed (${answerOf(error)}); try ${number + 1} of ${attempts}`),
  });
}

/** Name, address, host name. The SMBIOS serial is how NoCloud learns the host name (docs/decisions). */
async function configure(client: PveClient, inputs: CloneInputs, smbios: Params, report: Report): Promise<void> {
  report(`configuring ${inputs.name}`);
  await withRetry(() => writeConfig(client, inputs.node, inputs.vmId, { ...options(inputs), ...smbios }), {
    when: isTransient,
  });
}

/** PVE has given the clone a UUID; a new one of ours saves asking for it. */
const smbios1 = (current: unknown, hostname: string): Params => ({
  smbios1: withSerial(current === undefined ? `uuid=${randomUUID()}` : String(current), smbiosSerial(hostname)),
});

async function start(client: PveClient, { node, vmId, name }: CloneInputs, report: Report): Promise<void> {
  report(`starting ${name}`);
  await withRetry(
    async () => {
      try {
        await waitForTask(client, await power(client, node, vmId, "start"));
      } catch (error) {
        if (!/already running/i.test(answerOf(error))) throw error;
      }
    },
    { when: isBusy, pauseMs: 1000 },
  );
}

/** What PVE needs to finish a clone that exists. Every step can be repeated. */
async function finish(client: PveClient, inputs: CloneInputs, smbios: Params, report: Report): Promise<CloneState> {
  await configure(client, inputs, smbios, report);
  if (inputs.start) await start(client, inputs, report);
  report(`${inputs.name}: ${inputs.start ? "running" : "stopped"}`);
  return { ...inputs, running: inputs.start };
}

/** The engine keeps a resource that failed half-way if the error says what there is; the next run then updates it. */
function partialFailure(error: Error, inputs: CloneInputs, running: boolean): Error {
  const provider = (inputs as unknown as Record<string, unknown>).__provider;
  return Object.assign(error, {
    id: String(inputs.vmId),
    properties: { ...inputs, running, __provider: provider },
    reasons: [error.message],
  });
}

const next = (name: string) =>
  `The other clones are not concerned. Mend the cause and run \`pulumi up\` again: it goes on with ${name} where it stopped.`;

/** The node that the VM is on now (it may have been migrated), with its config; undefined if it is gone or not ours. */
async function findOurs(
  client: PveClient,
  { node, vmId, fleetId }: CloneInputs,
): Promise<{ node: string; config: GuestConfig } | undefined> {
  const found = await locate(client, node, vmId);
  return found && ownerOf(found.config.description, vmId, fleetId) === "ours" ? found : undefined;
}

const tagsOf = (config: GuestConfig): string[] =>
  String(config.tags ?? "")
    .split(/[;,\s]+/)
    .filter(Boolean)
    .sort();

/** The inputs as PVE has them now, so that drift shows as a difference. */
function observed(inputs: CloneInputs, node: string, config: GuestConfig): CloneInputs {
  const nameservers = String(config.nameserver ?? "")
    .split(/[\s,]+/)
    .filter(Boolean);
  const tags = tagsOf(config);
  const { searchDomain: _, ...rest } = inputs;
  return {
    ...rest,
    node,
    name: String(config.name ?? ""),
    ipConfig: String(config.ipconfig0 ?? ""),
    // The template's servers stay where the config names none.
    nameservers: inputs.nameservers.length === 0 ? [] : nameservers,
    ...(inputs.searchDomain !== undefined &&
      config.searchdomain !== undefined && { searchDomain: String(config.searchdomain) }),
    tags: isDeepStrictEqual(tags, [...inputs.tags].sort()) ? inputs.tags : tags,
    onBoot: Number(config.onboot ?? 0) === 1,
  };
}

/** A clone of a template: made, configured, started. */
export const provider: Handlers<CloneInputs, CloneState> = {
  async diff(_config, _id, olds, news) {
    // A migrated VM is where it is: the node of the config only says where it was made.
    const replaces = changedKeys<CloneInputs>(olds, news, ["vmId", "full"]);
    const updates = changedKeys<CloneInputs>(olds, news, [
      "name",
      "hostname",
      "ipConfig",
      "nameservers",
      "searchDomain",
      "notes",
      "tags",
      "onBoot",
      "start",
    ]);
    const stopped = news.start && !olds.running;
    return { changes: replaces.length > 0 || updates.length > 0 || stopped, replaces, deleteBeforeReplace: true };
  },

  async create(config, inputs) {
    const client = connect(config);
    const report = reporter(inputs.statusUrn);
    const { node, vmId, sourceVmId, name } = inputs;
    const where = { node, vmId, next: next(name) };
    await limited(`${node}/${inputs.datastore ?? ""}`, report, () =>
      stage({ ...where, stage: `clone template ${sourceVmId} as ${name}` }, () => makeClone(client, inputs, report)),
    );
    try {
      const outs = await stage({ ...where, stage: `configure and start ${name}` }, () =>
        finish(client, inputs, smbios1(undefined, inputs.hostname), report),
      );
      return { id: String(vmId), outs };
    } catch (error) {
      throw partialFailure(error as Error, inputs, false);
    }
  },

  async read(config, _id, state) {
    const client = connect(config);
    const found = await findOurs(client, state);
    if (!found) return undefined;
    const { status } = await readStatus(client, found.node, state.vmId);
    const inputs = observed(state, found.node, found.config);
    return { outs: { ...inputs, running: status === "running" }, inputs };
  },

  async update(config, _id, olds, news) {
    const client = connect(config);
    const { vmId, name } = news;
    const where = { node: olds.node, vmId, next: next(name) };
    try {
      return await stage({ ...where, stage: `bring ${name} up to date` }, async () => {
        const found = await findOurs(client, olds);
        if (!found)
          throw new ProxmoxError("missing", `VM ${vmId} is gone or not ours any more; run \`pulumi refresh\``);
        const inputs = { ...news, node: found.node };
        return finish(client, inputs, smbios1(found.config.smbios1, news.hostname), reporter(news.statusUrn));
      });
    } catch (error) {
      throw partialFailure(error as Error, { ...news, node: olds.node }, olds.running);
    }
  },

  async delete(config, _id, state) {
    const client = connect(config);
    const { vmId, name } = state;
    await stage({ stage: `delete ${name}`, node: state.node, vmId }, async () => {
      const found = await findOurs(client, state);
      if (!found) return;
      const report = reporter(state.statusUrn);
      await withRetry(
        async () => {
          try {
            if ((await readStatus(client, found.node, vmId)).status === "running") {
              report(`stopping ${name}`);
              await waitForTask(client, await power(client, found.node, vmId, "stop"));
            }
            report(`deleting ${name}`);
            await waitForTask(client, await destroyGuest(client, found.node, vmId));
          } catch (error) {
            if (!isMissing(error)) throw error;
          }
        },
        { when: isBusy, pauseMs: 1000 },
      );
    });
  },
};
