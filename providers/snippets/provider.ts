import pLimit from "p-limit";
import type { PveClient } from "../../proxmox/client.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { type GuestEntry, isUnreachable, listGuests, readConfig } from "../../proxmox/guests.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";
import { listVolumes, removeVolume } from "../../proxmox/storage.ts";
import { diffByKeys } from "../dynamic/diff.ts";
import type { Handlers } from "../dynamic/handlers.ts";
import { messagesOf, type Report } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import { linkedName } from "../guest/linkedTo.ts";
import { runOf } from "../run/connect.ts";

export interface SnippetsInputs {
  /** URN under which messages are shown. */
  statusUrn: string;
  node: string;
  datastore: string;
  /** All snippets of a template are called `<prefix><kind>-<hash>.yaml`; the prefix holds its VMID. */
  prefix: string;
  /** The file names that the template uses now. */
  current: string[];
  /** How often each of them was found gone, filled in by `check`; each time, it is uploaded again. */
  restored?: Record<string, number>;
}

/** Configs that are asked for at a time; the API has no way to read many at once. */
const AT_A_TIME = 8;

const volumeId = (datastore: string, file: string) => `${datastore}:snippets/${file}`;

/** `user=local:snippets/a.yaml,vendor=local:snippets/b.yaml` as its volume ids. */
const volumesOf = (cicustom: unknown): string[] => [...parseProperties(cicustom).values()];

interface Users {
  /** By volume id: a VM whose `cicustom` names it, whoever made it. PVE refuses to start it when the file is gone. */
  byVolume: Map<string, GuestEntry>;
  /** A VM that may name any of them: its config cannot be read. */
  unknown: GuestEntry | undefined;
}

async function usersOf(client: PveClient): Promise<Users> {
  const users: Users = { byVolume: new Map(), unknown: undefined };
  const limit = pLimit(AT_A_TIME);
  const look = async (guest: GuestEntry) => {
    try {
      const config = await readConfig(client, guest.node, guest.vmid);
      for (const volid of volumesOf(config?.cicustom)) users.byVolume.set(volid, guest);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      users.unknown ??= guest;
    }
  };
  const guests = (await listGuests(client)).filter(({ type }) => type === "qemu");
  await Promise.all(guests.map((guest) => limit(() => look(guest))));
  return users;
}

/** Whether a file is a snippet of the template: not one of `noble-9000` vmId 1 for `noble` vmId 9000, and not a user's own. */
function isOwn(volid: string, { datastore, prefix }: SnippetsInputs): boolean {
  const start = volumeId(datastore, prefix);
  return volid.startsWith(start) && /^[a-z]+-[0-9a-f]{12}\.yaml$/.test(volid.slice(start.length));
}

/** Removes the template's snippets that are not to be kept and that no VM uses. What may be used stays; `note` is told why. */
async function sweep(client: PveClient, inputs: SnippetsInputs, keep: readonly string[], note: Report): Promise<void> {
  const { node, datastore, prefix } = inputs;
  const kept = new Set(keep.map((name) => volumeId(datastore, name)));
  const volumes = await listVolumes(client, node, datastore, "snippets").catch((error) => {
    if (isUnreachable(error)) return undefined;
    throw error;
  });
  if (!volumes) return note(`snippets of ${prefix} stay on datastore ${datastore}: node ${node} does not answer`);
  const old = volumes.map(({ volid }) => volid).filter((volid) => isOwn(volid, inputs) && !kept.has(volid));
  if (old.length === 0) return;
  const { byVolume, unknown } = await usersOf(client);
  const free = "when that VM is gone, it can be removed on the node";
  for (const volid of old) {
    const user = byVolume.get(volid);
    if (user) note(`${volid} stays: ${linkedName(user.vmid, user)} uses it (${free}: pvesm free ${volid})`);
    else if (unknown) note(`${volid} stays: ${linkedName(unknown.vmid, unknown)} cannot be looked at, and may use it`);
    else await removeVolume(client, node, datastore, volid);
  }
}

/** The files that were there, are to be there, and are not. */
async function goneFiles(client: PveClient, olds: Partial<SnippetsInputs>, news: SnippetsInputs): Promise<string[]> {
  const { node, datastore, current } = news;
  const isSame = olds.node === node && olds.datastore === datastore;
  const expected = isSame ? current.filter((name) => olds.current?.includes(name)) : [];
  if (expected.length === 0) return [];
  const volumes = new Set((await listVolumes(client, node, datastore, "snippets")).map(({ volid }) => volid));
  return expected.filter((name) => !volumes.has(volumeId(datastore, name)));
}

const where = ({ node, datastore }: SnippetsInputs) => ({
  stage: "remove snippets that are no longer used",
  node,
  datastore,
});

/**
 * The life of a template's snippets on the datastore. Clones go on using the snippets that they were made with, so a file
 * is not deleted when the template changes, but at the next change, or the end of the template, if no VM names it any more.
 */
export const provider: Handlers<SnippetsInputs, SnippetsInputs> = {
  stateVersion: 2,
  migrations: { 1: (old) => ({ statusUrn: "", ...old }) },

  /** Looks whether the files are there, at each run: without them no clone starts, and nothing else would notice. */
  async check(config, olds, news) {
    const { datastore, current } = news;
    // What cannot be looked at counts as there.
    const gone = await goneFiles(runOf(config).client, olds, news).catch((): string[] => []);
    // A file has a trigger in its state only once this version of the program has run.
    const triggered = olds.restored !== undefined;
    const then = triggered ? "it is uploaded again" : "the next `pulumi up` uploads it again";
    for (const name of gone) messagesOf(news.statusUrn).info(`${name} is gone from datastore ${datastore}; ${then}`);
    const times = (name: string) => (olds.restored?.[name] ?? 0) + Number(triggered && gone.includes(name));
    return { inputs: { ...news, restored: Object.fromEntries(current.map((name) => [name, times(name)])) } };
  },

  async diff(_config, _id, olds, news) {
    return diffByKeys<SnippetsInputs>(olds, news, {
      replacing: ["node", "datastore", "prefix"],
      updating: ["current", "restored", "statusUrn"],
    });
  },
  async create(_config, inputs) {
    return { id: inputs.prefix, outs: inputs };
  },
  async read(_config, _id, state) {
    return { outs: state };
  },
  async update(config, _id, olds, news) {
    // The template that is going to be replaced still names the old ones.
    const keep = [...olds.current, ...news.current];
    await stage(where(news), () => sweep(runOf(config).client, news, keep, () => undefined));
    return news;
  },
  async delete(config, _id, state) {
    const run = runOf(config);
    const { info } = messagesOf(state.statusUrn);
    await run.deletions.attempt(() => stage(where(state), () => sweep(run.client, state, [], info)));
  },
};
