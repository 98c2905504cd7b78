import type { Cluster } from "../../config/cluster.ts";
import type { CloneSet, Fleet, PlacedClone, PlacedTemplate } from "../../config/fleet.ts";

/** What the stack config needs of the cluster. Nothing here asks the cluster. */

/** A template, or one of its replicas, with its key. */
export interface KeyedTemplate {
  key: string;
  /** `templates.noble` */
  path: string;
  node: string;
  template: PlacedTemplate;
}

export interface SetClone {
  /** Key of the clone set. */
  key: string;
  node: string;
  set: CloneSet;
  clone: PlacedClone;
  /** The set's template; undefined if the config has no such template. */
  source: KeyedTemplate | undefined;
}

type Content = "import" | "snippets" | "images";

export interface DatastoreUse {
  node: string;
  datastore: string;
  content: Content;
  path: string;
  /** What it is used for. */
  what: string;
}

export function templatesOf({ templates }: Pick<Fleet, "templates">): KeyedTemplate[] {
  return Object.entries(templates).map(([key, template]) => ({
    key,
    path: template.path,
    node: template.node,
    template,
  }));
}

export function clonesOf(fleet: Fleet): SetClone[] {
  const templates = new Map(templatesOf(fleet).map((one) => [one.key, one]));
  return Object.entries(fleet.cloneSets).flatMap(([key, set]) => {
    const source = templates.get(set.template);
    return set.clones.map((clone) => ({ key, set, clone, source, node: source?.node ?? fleet.cluster.node }));
  });
}

/** Every node that the config names, `cluster.node` first, with its place. */
export function nodesOf(fleet: Fleet): { node: string; path: string }[] {
  return [
    { node: fleet.cluster.node, path: "cluster.node" },
    ...templatesOf(fleet).flatMap(({ path, template }) =>
      template.node === undefined ? [] : [{ node: template.node, path: `${path}.node` }],
    ),
  ];
}

/** Distinct values of what `keyOf` gives, the first item of each. */
export function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const item of items) if (!seen.has(keyOf(item))) seen.set(keyOf(item), item);
  return [...seen.values()];
}

interface Volume {
  datastore: string;
  path: string;
  what: string;
  bytes: number;
}

const GIB = 2 ** 30;
const MIB = 2 ** 20;

/** The volumes of a template's VM. */
export function volumesOf({ path, template }: KeyedTemplate, { datastores }: Cluster): Volume[] {
  const { disk, extraDisks, uefi, tpm } = template;
  const standard = "cluster.datastores.disks";
  const place = (own: string | undefined, key: string) => ({
    datastore: own ?? datastores.disks,
    path: own === undefined ? standard : `${path}.${key}.datastore`,
  });
  return [
    { ...place(disk.datastore, "disk"), what: "disks", bytes: disk.sizeGiB * GIB },
    ...extraDisks.map((one, index) => ({
      ...place(one.datastore, `extraDisks[${index}]`),
      what: "disks",
      bytes: one.sizeGiB * GIB,
    })),
    ...(uefi.enabled ? [{ ...place(uefi.datastore, "uefi"), what: "the EFI disk", bytes: 4 * MIB }] : []),
    ...(tpm.enabled ? [{ ...place(tpm.datastore, "tpm"), what: "the TPM state", bytes: 4 * MIB }] : []),
    { datastore: datastores.disks, path: standard, what: "the cloud-init drive", bytes: 4 * MIB },
  ];
}

/** Where a set's full clones go, and where the config says so. */
export function fullCloneDatastore(
  key: string,
  set: CloneSet,
  source: KeyedTemplate,
  { datastores }: Cluster,
): { datastore: string; path: string } {
  if (set.datastore !== undefined) return { datastore: set.datastore, path: `cloneSets.${key}.datastore` };
  const own = source.template.disk.datastore;
  return own === undefined
    ? { datastore: datastores.disks, path: "cluster.datastores.disks" }
    : { datastore: own, path: `${source.path}.disk.datastore` };
}

/** Every datastore with what it is used for; one entry for each node, datastore, content type and place in the config. */
export function datastoreUses(fleet: Fleet): DatastoreUse[] {
  const { cluster } = fleet;
  const templates = templatesOf(fleet);
  const sets = distinct(clonesOf(fleet), ({ key }) => key);
  const uses = [
    ...templates.flatMap((one): DatastoreUse[] => [
      {
        node: one.node,
        datastore: cluster.datastores.images,
        content: "import",
        path: "cluster.datastores.images",
        what: "cloud images",
      },
      {
        node: one.node,
        datastore: cluster.datastores.snippets,
        content: "snippets",
        path: "cluster.datastores.snippets",
        what: "snippets",
      },
      ...volumesOf(one, cluster).map(
        ({ datastore, path, what }): DatastoreUse => ({
          node: one.node,
          datastore,
          content: "images",
          path,
          what,
        }),
      ),
    ]),
    ...sets.flatMap(({ key, set, node, source }): DatastoreUse[] =>
      set.mode === "full" && source
        ? [{ node, ...fullCloneDatastore(key, set, source, cluster), content: "images", what: "full clones" }]
        : [],
    ),
  ];
  return distinct(uses, ({ node, datastore, content, path }) => `${node} ${datastore} ${content} ${path}`);
}

export interface Allocation {
  node: string;
  datastore: string;
  /** Bytes that the disks may grow to. */
  bytes: number;
  vmId: number;
}

/** What the VMs that do not exist yet will allocate; linked clones share their template's disks. */
export function allocationsOf(fleet: Fleet, exists: (vmId: number) => boolean): Allocation[] {
  const { cluster } = fleet;
  const templates = templatesOf(fleet).filter(({ template }) => !exists(template.vmId));
  const clones = clonesOf(fleet).filter(({ clone, set }) => set.mode === "full" && !exists(clone.vmId));
  return [
    ...templates.flatMap((one) =>
      volumesOf(one, cluster).map(({ datastore, bytes }) => ({
        node: one.node,
        datastore,
        bytes,
        vmId: one.template.vmId,
      })),
    ),
    ...clones.flatMap(({ key, node, set, source, clone }) =>
      source
        ? [
            {
              node,
              datastore: fullCloneDatastore(key, set, source, cluster).datastore,
              bytes: volumesOf(source, cluster).reduce((sum, { bytes }) => sum + bytes, 0),
              vmId: clone.vmId,
            },
          ]
        : [],
    ),
  ];
}

export interface BridgeUse {
  node: string;
  bridge: string;
  vlan?: number;
  path: string;
}

export function bridgeUses(fleet: Fleet): BridgeUse[] {
  const uses = templatesOf(fleet).flatMap(({ path, node, template }) =>
    template.nics.map(
      (nic, index): BridgeUse => ({
        node,
        bridge: nic.bridge ?? fleet.cluster.network.bridge,
        path: nic.bridge === undefined ? "cluster.network.bridge" : `${path}.nics[${index}].bridge`,
        ...(nic.vlan !== undefined && { vlan: nic.vlan }),
      }),
    ),
  );
  return distinct(uses, ({ node, bridge, vlan, path }) => `${node} ${bridge} ${vlan} ${path}`);
}

export interface MappingUse {
  node: string;
  mapping: string;
  path: string;
  template: KeyedTemplate;
  /** A mediated device can be shared by several VMs. */
  shared: boolean;
}

export function mappingUses(fleet: Fleet): MappingUse[] {
  return templatesOf(fleet).flatMap((template) =>
    template.template.gpus.flatMap((gpu, index) =>
      gpu.mapping === undefined
        ? []
        : [
            {
              node: template.node,
              mapping: gpu.mapping,
              path: `${template.path}.gpus[${index}].mapping`,
              template,
              shared: gpu.mdev !== undefined,
            },
          ],
    ),
  );
}
