import type { Fleet } from "../../config/fleet.ts";
import { candidatesOf, clonesOf, distinct, type KeyedTemplate, sourceOn, templatesOf } from "./needs.ts";

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
    return own === undefined ? standard : { bridge: own, path: `${path}.nics[${index}].bridge` };
  };
  const use = (node: string, place: { bridge: string; path: string }, vlan: number | undefined): BridgeUse => ({
    node,
    ...place,
    ...(vlan !== undefined && { vlan }),
  });
  const templates = templatesOf(fleet).flatMap((one) =>
    one.template.nics.map(({ vlan }, index) => use(one.node, ofTemplate(one, index), vlan)),
  );
  const clones = clonesOf(fleet).flatMap(({ key, set, clone, nodes, source }) =>
    (source?.template.nics ?? []).flatMap((nic, index) => {
      const own = clone.nics[index];
      const at = own?.bridge === set.nics[index]?.bridge ? `cloneSets.${key}` : clone.path;
      const place = own?.bridge && { bridge: own.bridge, path: `${at}.nics[${index}].bridge` };
      return source ? nodes.map((node) => use(node, place || ofTemplate(source, index), own?.vlan ?? nic.vlan)) : [];
    }),
  );
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
  node: string;
  mapping: string;
  path: string;
  template: KeyedTemplate;
  /** A mediated device can be shared by several VMs. */
  shared: boolean;
}

/** PCI mappings on the nodes of the templates, and on those where their clones may be put. */
export function mappingUses(fleet: Fleet): MappingUse[] {
  const elsewhere = Object.entries(fleet.cloneSets).flatMap(([key, set]) =>
    candidatesOf(fleet, key).flatMap(({ node }) => {
      const source = sourceOn(fleet, set, node);
      return source && source.node !== node ? [{ ...source, node }] : [];
    }),
  );
  const all = distinct([...templatesOf(fleet), ...elsewhere], ({ key, node }) => `${key} ${node}`);
  return all.flatMap((template) =>
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
