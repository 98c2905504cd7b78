import type { PveClient } from "../proxmox/client.ts";
import { type ContentType, choiceFor, listNodeDatastores, type NodeDatastore } from "./cluster/datastores.ts";
import { SetupError } from "./cluster/error.ts";
import { type Bridge, listBridges } from "./cluster/networks.ts";
import { type ClusterNode, listClusterNodes } from "./cluster/nodes.ts";
import type { OptionName, Options } from "./options.ts";
import type { Choice, Ui } from "./ui.ts";

/** Where the fleet's parts go. */
export interface Places {
  node: string;
  images: NodeDatastore;
  disks: NodeDatastore;
  bridge: Bridge;
  datastores: readonly NodeDatastore[];
}

const gib = (bytes: number | undefined) => (bytes === undefined ? "" : `${Math.floor(bytes / 2 ** 30)} GiB free`);

/** The node that answers first: the others would do as well. */
function nodeChoices(nodes: readonly ClusterNode[]): Choice[] {
  const online = nodes.filter(({ online }) => online);
  return [...online]
    .sort((a, b) => Number(b.isEndpoint ?? false) - Number(a.isEndpoint ?? false))
    .map(({ node, version, cpus, freeMemory }) => ({
      value: node,
      hint: [version && `PVE ${version}`, cpus && `${cpus} CPUs`, freeMemory && gib(freeMemory)]
        .filter(Boolean)
        .join(", "),
    }));
}

const datastoreOptions: Record<ContentType, OptionName> = {
  import: "image-datastore",
  images: "disk-datastore",
  snippets: "snippet-datastore",
};

/**
 * The datastores for a content type, those first that take it now.
 *
 * @throws SetupError if none does, and none may be changed
 */
export function datastoreChoices(
  ui: Ui,
  options: Options,
  datastores: readonly NodeDatastore[],
  type: ContentType,
): NodeDatastore[] {
  const { have, could } = choiceFor(datastores, type);
  const mayAdd = ui.interactive || options.has("add-content");
  const wanted = options.text(datastoreOptions[type]);
  const only = could.find(({ storage }) => storage === wanted);
  if (only && !mayAdd) throw lacks([only], type);
  if (have.length === 0 && !mayAdd) throw lacks(could, type);
  return mayAdd ? [...have, ...could] : have;
}

const lacks = (could: readonly NodeDatastore[], type: ContentType) =>
  new SetupError(
    "none",
    could.length === 1
      ? `datastore ${could[0]?.storage} does not take ${type} (it takes ${could[0]?.content.join(", ")})`
      : `no datastore takes ${type}; ${could.map(({ storage }) => storage).join(", ")} could`,
    ["--add-content switches it on, and leaves the content types that are on."],
  );

const hintFor =
  (type: ContentType) =>
  ({ storage, type: kind, free, content }: NodeDatastore): Choice => ({
    value: storage,
    hint: [kind, gib(free), !content.includes(type) && `${type} will be enabled`].filter(Boolean).join(", "),
  });

export async function askPlaces(ui: Ui, options: Options, client: PveClient): Promise<Places> {
  const node = await ui.pick({
    option: "node",
    message: "Which node runs the VMs, and downloads the image?",
    choices: nodeChoices(await listClusterNodes(client)),
    none: "no node is online",
  });
  const [datastores, bridges] = await Promise.all([listNodeDatastores(client, node), listBridges(client, node)]);
  const forImages = datastoreChoices(ui, options, datastores, "import");
  const forDisks = datastoreChoices(ui, options, datastores, "images");
  const named = (["image-datastore", "disk-datastore", "bridge"] as const).some((one) => options.has(one));
  const [images, disks, bridge] = [forImages[0], forDisks[0], bridges[0]];
  const several = [forImages, forDisks, bridges].some(({ length }) => length > 1);
  if (images && disks && bridge && ui.interactive && several && !named) {
    const proposal = `Images on ${described(images, "import")}, disks on ${described(disks, "images")}, network ${bridge.name}. Is that right?`;
    if (await ui.confirm(proposal)) return { node, images, disks, bridge, datastores };
  }
  const pickStorage = async (type: ContentType, message: string, from: readonly NodeDatastore[]) => {
    const name = await ui.pick({
      option: datastoreOptions[type],
      message,
      choices: from.map(hintFor(type)),
      none: `no datastore of ${node} takes ${type}`,
    });
    return from.find(({ storage }) => storage === name) as NodeDatastore;
  };
  const imagesOn = await pickStorage("import", "Where do downloaded images go?", forImages);
  const disksOn = await pickStorage("images", "Where do the disks of the VMs go?", forDisks);
  const name = await ui.pick({
    option: "bridge",
    message: "Which network are the VMs on?",
    choices: bridges.map(({ name, comment, cidr }) => ({
      value: name,
      hint: [comment, cidr].filter(Boolean).join(", "),
    })),
    none: `${node} has no bridge that this login may use`,
  });
  const on = bridges.find((one) => one.name === name) as Bridge;
  return { node, images: imagesOn, disks: disksOn, bridge: on, datastores };
}

const described = ({ storage, free, content }: NodeDatastore, type: ContentType) => {
  const notes = [gib(free), !content.includes(type) && `${type} will be enabled there`].filter(Boolean);
  return notes.length > 0 ? `${storage} (${notes.join(", ")})` : storage;
};
