import type { PveClient } from "../../proxmox/client.ts";
import { listGuests, readConfig } from "../../proxmox/guests.ts";
import { listVolumes } from "../../proxmox/storage.ts";
import { connect } from "../connect.ts";
import { diffByKeys } from "../diff.ts";
import { stage } from "../failure.ts";
import type { Handlers } from "../handlers.ts";
import { removeVolume } from "../image/download.ts";

export interface SnippetsInputs {
  node: string;
  datastore: string;
  /** All snippets of a template start with this; it holds the VMID, so no other template's do. */
  prefix: string;
  /** The file names that the template uses now. */
  current: string[];
}

/** `user=local:snippets/a.yaml,vendor=local:snippets/b.yaml` as its volume ids. */
const volumesOf = (cicustom: unknown): string[] =>
  String(cicustom ?? "")
    .split(",")
    .flatMap((part) => part.split("=")[1] ?? []);

/** The snippets that some VM's `cicustom` names: PVE refuses to start a VM whose snippet is gone. */
async function inUse(client: PveClient): Promise<Set<string>> {
  const guests = (await listGuests(client)).filter(({ type }) => type === "qemu");
  const configs = await Promise.all(guests.map(({ node, vmid }) => readConfig(client, node, vmid)));
  return new Set(configs.flatMap((config) => volumesOf(config?.cicustom)));
}

/** Removes the template's snippets that nobody uses and that are not to be kept. */
async function sweep(
  client: PveClient,
  { node, datastore, prefix }: SnippetsInputs,
  keep: readonly string[],
): Promise<void> {
  const own = (await listVolumes(client, node, datastore, "snippets"))
    .map(({ volid }) => volid)
    .filter(
      (volid) =>
        volid.startsWith(`${datastore}:snippets/${prefix}`) && !keep.some((name) => volid.endsWith(`/${name}`)),
    );
  if (own.length === 0) return;
  const used = await inUse(client);
  for (const volid of own.filter((one) => !used.has(one))) await removeVolume(client, node, datastore, volid);
}

const where = ({ node, datastore }: SnippetsInputs) => ({
  stage: "remove snippets that are no longer used",
  node,
  datastore,
});

/**
 * The life of a template's snippets on the datastore. Clones go on using the snippets that they were made with, so a file
 * is not deleted when the template changes, but when no VM names it any more.
 */
export const provider: Handlers<SnippetsInputs, SnippetsInputs> = {
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
    await stage(where(news), () => sweep(connect(config), news, [...olds.current, ...news.current]));
    return news;
  },
  async delete(config, _id, state) {
    await stage(where(state), () => sweep(connect(config), state, []));
  },
};
