import type { Cluster } from "../../config/cluster.ts";
import type { CloneSet, Fleet, PlacedClone } from "../../config/fleet.ts";
import { candidatesOf, clonesOf, distinct, type KeyedTemplate, snippetNodes, sourceOn, templatesOf } from "./needs.ts";

/** What the stack config needs of the cluster's datastores. Nothing here asks the cluster. */

type Content = "import" | "snippets" | "images";

export interface DatastoreUse {
  node: string;
  datastore: string;
  content: Content;
  path: string;
  /** What it is used for. */
  what: string;
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
  const { disk, extraDisks, uefi, tpm, existing } = template;
  const standard = "cluster.datastores.disks";
  const at = (key: string) => (existing ? `${path}.existing` : `${path}.${key}.datastore`);
  const place = (own: string | undefined, key: string) => ({
    datastore: own ?? datastores.disks,
    path: own === undefined ? standard : at(key),
  });
  const cloudInit = existing ? existing.cloudInitDatastore : datastores.disks;
  return [
    { ...place(disk.datastore, "disk"), what: "disks", bytes: disk.sizeGiB * GIB },
    ...extraDisks.map((one, index) => ({
      ...place(one.datastore, `extraDisks[${index}]`),
      what: "disks",
      bytes: one.sizeGiB * GIB,
    })),
    ...(uefi.enabled ? [{ ...place(uefi.datastore, "uefi"), what: "the EFI disk", bytes: 4 * MIB }] : []),
    ...(tpm.enabled ? [{ ...place(tpm.datastore, "tpm"), what: "the TPM state", bytes: 4 * MIB }] : []),
    ...(cloudInit === undefined
      ? []
      : [
          {
            datastore: cloudInit,
            path: existing ? at("") : standard,
            what: "the cloud-init drive",
            bytes: 4 * MIB,
          },
        ]),
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
    : { datastore: own, path: source.template.existing ? `${source.path}.existing` : `${source.path}.disk.datastore` };
}

/** The datastores that a set's clones on a node need there. */
function cloneDatastores(fleet: Fleet, key: string, set: CloneSet, node: string): DatastoreUse[] {
  const source = sourceOn(fleet, set, node);
  if (!source) return [];
  if (set.mode === "full") {
    return [{ node, ...fullCloneDatastore(key, set, source, fleet.cluster), content: "images", what: "full clones" }];
  }
  return volumesOf(source, fleet.cluster).map(({ datastore, path, what }) => ({
    node,
    datastore,
    content: "images",
    path,
    what: `linked clones (${what})`,
  }));
}

/** Every datastore with what it is used for; one entry for each node, datastore, content type and place in the config. */
export function datastoreUses(fleet: Fleet): DatastoreUse[] {
  const { cluster } = fleet;
  const templates = templatesOf(fleet);
  const uses = [
    ...templates.flatMap((one): DatastoreUse[] => [
      {
        node: one.node,
        datastore: cluster.datastores.images,
        content: "import",
        path: "cluster.datastores.images",
        what: "cloud images",
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
    ...snippetNodes(fleet).map(
      (node): DatastoreUse => ({
        node,
        datastore: cluster.datastores.snippets,
        content: "snippets",
        path: "cluster.datastores.snippets",
        what: "snippets",
      }),
    ),
    ...Object.entries(fleet.cloneSets).flatMap(([key, set]) =>
      candidatesOf(fleet, key).flatMap(({ node }) => cloneDatastores(fleet, key, set, node)),
    ),
  ];
  return distinct(uses, ({ node, datastore, content, path }) => `${node} ${datastore} ${content} ${path}`);
}

/** Bytes that a clone's boot disk is larger than its template's. */
const growth = ({ diskGiB }: PlacedClone, { template }: KeyedTemplate) =>
  Math.max(0, (diskGiB ?? 0) - template.disk.sizeGiB) * GIB;

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
              bytes: volumesOf(source, cluster).reduce((sum, { bytes }) => sum + bytes, growth(clone, source)),
              vmId: clone.vmId,
            },
          ]
        : [],
    ),
  ];
}
