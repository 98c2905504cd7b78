import type { Gpu } from "../../config/devices.ts";
import { addsNic, type Fleet, hasNic } from "../../config/fleet.ts";
import { clonesOf, distinct, type KeyedTemplate, type SetClone, templatesOf } from "./needs.ts";

/** What the stack config needs of the nodes' bridges and devices, and of the cluster's pools. Nothing here asks the cluster. */

export interface BridgeUse {
  node: string;
  bridge: string;
  vlan?: number;
  path: string;
}

/** Bridges of the templates, and of the clones wherever they may be put. */
export function bridgeUses(fleet: Fleet): BridgeUse[] {
  const standard = { bridge: fleet.cluster.network.bridge, path: "cluster.network.bridge" };
  const ofTemplate = ({ path, template }: KeyedTemplate, index: number) => {
    const own = template.nics[index]?.bridge;
    if (template.existing && own) return { bridge: own, path: `${path}.existing` };
    return own === undefined ? standard : { bridge: own, path: `${path}.nics[${index}].bridge` };
  };
  const use = (node: string, place: { bridge: string; path: string }, vlan: number | undefined): BridgeUse => ({
    node,
    ...place,
    ...(vlan !== undefined && { vlan }),
  });
  const templates = templatesOf(fleet).flatMap((one) =>
    one.template.nics.flatMap(({ vlan }, index) =>
      hasNic(one.template, index) ? [use(one.node, ofTemplate(one, index), vlan)] : [],
    ),
  );
  const clones = clonesOf(fleet).flatMap(({ key, set, clone, nodes, source }) => {
    if (!source) return [];
    const { nics } = source.template;
    return Array.from({ length: Math.max(nics.length, clone.nics.length) }, (_none, index) => {
      if (!hasNic(source.template, index) && !addsNic(source.template, clone, index)) return [];
      const own = clone.nics[index];
      const at = own?.bridge === set.nics[index]?.bridge ? `cloneSets.${key}` : clone.path;
      const place = own?.bridge && { bridge: own.bridge, path: `${at}.nics[${index}].bridge` };
      return nodes.map((node) => use(node, place || ofTemplate(source, index), own?.vlan ?? nics[index]?.vlan));
    }).flat();
  });
  return distinct([...templates, ...clones], ({ node, bridge, vlan, path }) => `${node} ${bridge} ${vlan} ${path}`);
}

/** Pools of templates and clone sets, with their places. */
export function poolUses(fleet: Fleet): { pool: string; path: string }[] {
  const all = [
    ...templatesOf(fleet).map(({ path, template }) => ({ pool: template.pool, path: `${path}.pool` })),
    ...Object.entries(fleet.cloneSets).map(([key, { pool }]) => ({ pool, path: `cloneSets.${key}.pool` })),
  ];
  return distinct(
    all.flatMap(({ pool, path }) => (pool === undefined ? [] : [{ pool, path }])),
    ({ pool, path }) => `${pool} ${path}`,
  );
}

export interface MappingUse {
  kind: "pci" | "usb";
  node: string;
  mapping: string;
  path: string;
  /** A mediated device can be shared by several VMs. */
  shared: boolean;
}

type Mapped = Pick<MappingUse, "kind" | "mapping" | "path" | "shared">;

const gpusAt = (path: string, gpus: readonly Gpu[]): Mapped[] =>
  gpus.flatMap(({ mapping, mdev }, index) =>
    mapping === undefined
      ? []
      : [{ kind: "pci", mapping, path: `${path}.gpus[${index}].mapping`, shared: mdev !== undefined }],
  );

/** The mapped devices that a clone gets: its own, its set's, or its template's. */
export function devicesOf({ key, set, clone, source }: SetClone): Mapped[] {
  const at = (field: "gpus" | "usb") => (clone[field] === set[field] ? `cloneSets.${key}` : clone.path);
  const gpus = clone.gpus ? gpusAt(at("gpus"), clone.gpus) : source ? gpusAt(source.path, source.template.gpus) : [];
  const usb = (clone.usb ?? []).map(
    ({ mapping }, index): Mapped => ({
      kind: "usb",
      mapping,
      path: `${at("usb")}.usb[${index}].mapping`,
      shared: false,
    }),
  );
  return [...gpus, ...usb];
}

/** Mappings on the nodes of the templates, and on those where clones may be put. */
export function mappingUses(fleet: Fleet): MappingUse[] {
  const templates = templatesOf(fleet).flatMap(({ path, node, template }) =>
    gpusAt(path, template.gpus).map((one) => ({ ...one, node })),
  );
  const clones = clonesOf(fleet).flatMap((clone) =>
    devicesOf(clone).flatMap((one) => clone.nodes.map((node) => ({ ...one, node }))),
  );
  return distinct([...templates, ...clones], ({ kind, node, mapping, path }) => `${kind} ${node} ${mapping} ${path}`);
}
