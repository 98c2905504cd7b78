import { type PveClient, path } from "../../proxmox/client.ts";
import { type DatastoreConfig, listDatastoreConfigs } from "../../proxmox/cluster.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { type Datastore, listDatastores } from "../../proxmox/storage.ts";
import { SetupError } from "./error.ts";

/** What the project needs of datastores (PVE: content types). */
export type ContentType = "import" | "snippets" | "images";

/** A datastore as a node has it. */
export interface NodeDatastore {
  storage: string;
  /** `dir`, `lvmthin`, `zfspool`, `nfs`, … */
  type: string;
  /** Content types that it takes now. */
  content: string[];
  /** Those of `import`, `snippets` and `images` that it does not take now, but could: `addContent` switches them on. */
  couldHave: ContentType[];
  shared: boolean;
  /** Nodes that have it; undefined: all. */
  nodes?: string[];
  /** Folder on the node, of a datastore that has files; snippets are in `snippets` below it. */
  path?: string;
  /** Active on this node; what is not can be listed, but not used. */
  active: boolean;
  /** Bytes. */
  total?: number;
  free?: number;
  /** Linked clones work on it: copy-on-write of a base volume. */
  linkedClones: boolean;
}

const FILES: readonly ContentType[] = ["import", "snippets", "images"];

/** Content types that a type of datastore can have, from PVE's storage plugins. Of one that is not known, none is offered. */
const CAN_HAVE: Readonly<Record<string, readonly ContentType[]>> = {
  dir: FILES,
  nfs: FILES,
  cifs: FILES,
  btrfs: FILES,
  cephfs: ["import", "snippets"],
  lvm: ["images"],
  lvmthin: ["images"],
  zfspool: ["images"],
  zfs: ["images"],
  rbd: ["images"],
};

/** Types whose volumes can be the base of linked clones; in folders as qcow2. */
const LINKED = new Set(["dir", "nfs", "cifs", "btrfs", "lvmthin", "zfspool", "zfs", "rbd"]);

const split = (text: string | undefined): string[] => (text ?? "").split(",").filter(Boolean);

function view(
  { storage, type, content, shared, active, enabled = 1, total, avail }: Datastore,
  config: DatastoreConfig | undefined,
): NodeDatastore {
  const has = split(content);
  const nodes = split(config?.nodes);
  return {
    storage,
    type,
    content: has,
    couldHave: (CAN_HAVE[type] ?? []).filter((one) => !has.includes(one)),
    shared: shared === 1,
    ...(nodes.length > 0 && { nodes }),
    ...(config?.path && { path: config.path }),
    active: active === 1 && enabled === 1,
    ...(total !== undefined && { total }),
    ...(avail !== undefined && { free: avail }),
    linkedClones: LINKED.has(type),
  };
}

/** The datastores of a node that the login may see, those with the most room first. */
export async function listNodeDatastores(client: PveClient, node: string): Promise<NodeDatastore[]> {
  const [here, configs] = await Promise.all([listDatastores(client, node), listDatastoreConfigs(client)]);
  return here
    .map((one) =>
      view(
        one,
        configs.find(({ storage }) => storage === one.storage),
      ),
    )
    .sort((a, b) => (b.free ?? 0) - (a.free ?? 0) || a.storage.localeCompare(b.storage));
}

/** The datastores that take a content type, and those that could, the best proposal first in each. */
export interface Choice {
  have: NodeDatastore[];
  could: NodeDatastore[];
}

/**
 * Where disks, images or snippets of a node can go. For disks, those on which linked clones work come first; else the order
 * stays, which is by room.
 *
 * @throws SetupError `none` if no active datastore has the content type or could have it
 */
export function choiceFor(datastores: readonly NodeDatastore[], type: ContentType): Choice {
  const rank = ({ linkedClones }: NodeDatastore) => (type === "images" && !linkedClones ? 1 : 0);
  const usable = datastores.filter(({ active }) => active).sort((a, b) => rank(a) - rank(b));
  const have = usable.filter(({ content }) => content.includes(type));
  const could = usable.filter(({ couldHave }) => couldHave.includes(type));
  if (have.length + could.length > 0) return { have, could };
  const seen = datastores.map(
    ({ storage, type: kind, active }) => `${storage} (${kind}${active ? "" : ", not active"})`,
  );
  throw new SetupError(
    "none",
    `no datastore of the node has the content type ${type} or could have it; found ${seen.join(", ") || "none that this login may see"}`,
    [
      type === "images"
        ? "Add a datastore for disks: Datacenter > Storage."
        : `Add a datastore of type Directory, NFS, SMB/CIFS or BTRFS with the content type ${type}: Datacenter > Storage.`,
    ],
  );
}

/**
 * Switches a content type on, and leaves those that are on: reads the list first, and PVE refuses if somebody changed it meanwhile.
 *
 * @returns the content types afterwards
 * @throws SetupError `rights` if the login may not (Datastore.Allocate on /storage); `changed` if the datastores were changed
 * meanwhile; `refused` with PVE's words, or if this type of datastore cannot have it
 */
export async function addContent(client: PveClient, storage: string, type: ContentType): Promise<string[]> {
  const config = (await listDatastoreConfigs(client)).find((one) => one.storage === storage);
  if (!config) throw new SetupError("refused", `there is no datastore ${storage} that this login may see`);
  const has = split(config.content).filter((one) => one !== "none");
  if (has.includes(type)) return has;
  if (!CAN_HAVE[config.type]?.includes(type)) {
    const text = `datastore ${storage} is of type ${config.type}, which cannot have ${type}`;
    throw new SetupError("refused", text, [`Choose one of type ${typesFor(type).join(", ")}.`]);
  }
  const content = [...has, type];
  try {
    await client.put(path`/storage/${storage}`, { content: content.join(","), digest: config.digest });
  } catch (error) {
    throw refusal(error, { storage, content: has }, type);
  }
  return content;
}

const typesFor = (type: ContentType) => Object.keys(CAN_HAVE).filter((kind) => CAN_HAVE[kind]?.includes(type));

function refusal(error: unknown, datastore: Pick<NodeDatastore, "storage" | "content">, type: ContentType): unknown {
  if (!(error instanceof ApiError)) return error;
  const { storage } = datastore;
  const options = { cause: error };
  if (error.status === 403) {
    const text = `this login may not change datastores: ${error.answer}`;
    return new SetupError("rights", text, [addContentLine(datastore, type)], options);
  }
  if (/modified configuration/.test(error.answer)) {
    const text = `the cluster's datastores were changed by somebody else just now; ${storage} was left as it is`;
    return new SetupError("changed", text, ["Try it again."], options);
  }
  return new SetupError("refused", `${type} was not added to datastore ${storage}: ${error.answer}`, [], options);
}

/** The line that does the same on a node: `pvesm set local --content iso,import`. */
export function addContentLine(
  { storage, content }: Pick<NodeDatastore, "storage" | "content">,
  type: ContentType,
): string {
  const all = new Set([...content.filter((one) => one !== "none"), type]);
  return `pvesm set ${storage} --content ${[...all].join(",")}`;
}
