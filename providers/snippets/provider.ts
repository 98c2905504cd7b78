import pLimit from "p-limit";
import type { PveClient } from "../../proxmox/client.ts";
import { listGuests, readConfig } from "../../proxmox/guests.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";
import { listVolumes } from "../../proxmox/storage.ts";
import { diffByKeys } from "../dynamic/diff.ts";
import type { Handlers } from "../dynamic/handlers.ts";
import { stage } from "../failure.ts";
import { removeVolume } from "../image/download.ts";
import { runOf } from "../run/connect.ts";

export interface SnippetsInputs {
  node: string;
  datastore: string;
  /** All snippets of a template are called `<prefix><kind>-<hash>.yaml`; the prefix holds its VMID. */
  prefix: string;
  /** The file names that the template uses now. */
  current: string[];
}

/** Configs that are asked for at a time; the API has no way to read many at once. */
const AT_A_TIME = 8;

/** `user=local:snippets/a.yaml,vendor=local:snippets/b.yaml` as its volume ids. */
const volumesOf = (cicustom: unknown): string[] => [...parseProperties(cicustom).values()];

/** The snippets that some VM's `cicustom` names, whoever made the VM: PVE refuses to start it when they are gone. */
async function inUse(client: PveClient): Promise<Set<string>> {
  const guests = (await listGuests(client)).filter(({ type }) => type === "qemu");
  const limit = pLimit(AT_A_TIME);
  const configs = await Promise.all(guests.map(({ node, vmid }) => limit(() => readConfig(client, node, vmid))));
  return new Set(configs.flatMap((config) => volumesOf(config?.cicustom)));
}

/** Whether a file is a snippet of the template: not one of `noble-9000` vmId 1 for `noble` vmId 9000, and not a user's own. */
function isOwn(volid: string, { datastore, prefix }: SnippetsInputs): boolean {
  const start = `${datastore}:snippets/${prefix}`;
  return volid.startsWith(start) && /^[a-z]+-[0-9a-f]{12}\.yaml$/.test(volid.slice(start.length));
}

/** Removes the template's snippets that nobody uses and that are not to be kept. */
async function sweep(client: PveClient, inputs: SnippetsInputs, keep: readonly string[]): Promise<void> {
  const { node, datastore } = inputs;
  const kept = new Set(keep.map((name) => `${datastore}:snippets/${name}`));
  const volumes = await listVolumes(client, node, datastore, "snippets");
  const old = volumes.map(({ volid }) => volid).filter((volid) => isOwn(volid, inputs) && !kept.has(volid));
  if (old.length === 0) return;
  const used = await inUse(client);
  for (const volid of old) if (!used.has(volid)) await removeVolume(client, node, datastore, volid);
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
  stateVersion: 1,

  async diff(_config, _id, olds, news) {
    return diffByKeys<SnippetsInputs>(olds, news, {
      replacing: ["node", "datastore", "prefix"],
      updating: ["current"],
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
    await stage(where(news), () => sweep(runOf(config).client, news, [...olds.current, ...news.current]));
    return news;
  },
  async delete(config, _id, state) {
    await stage(where(state), () => sweep(runOf(config).client, state, []));
  },
};
