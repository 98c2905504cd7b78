import {
  type CloneSet,
  type CloneSource,
  type Fleet,
  type PlacedClone,
  type PlacedTemplate,
  sourcesIn,
} from "../../config/fleet.ts";
import { replicasOf } from "../../config/replicas.ts";
import { ownSnippets } from "../../config/rules/firstBoot.ts";
import { usesSnippets } from "../../config/rules/snippets.ts";

/** Which VMs the run is to make or change, and where they may be. Nothing here asks the cluster. */

/** A stack config, or the part of it that a run is about. */
export interface Work extends Fleet {
  /** Keys of templates that the run leaves as they are; clones may be made from them all the same. */
  idle?: ReadonlySet<string>;
}

/** What clones are made from, with its key: a template, one of its replicas, or a template that was made elsewhere. */
export interface KeyedTemplate<T extends CloneSource = CloneSource> {
  key: string;
  /** `templates.noble` */
  path: string;
  node: string;
  template: T;
}

export interface SetClone {
  /** Key of the clone set. */
  key: string;
  set: CloneSet;
  clone: PlacedClone;
  /** The nodes that the clone may be put on when it is made. */
  nodes: readonly string[];
  /** The node that it is counted on: one after the other, as `placement: spread` chooses them. */
  node: string;
  /** The set's template, the first of its replicas; undefined if the config has no such template. */
  source: KeyedTemplate | undefined;
}

const keyed = <T extends CloneSource>(templates: Readonly<Record<string, T>>): KeyedTemplate<T>[] =>
  Object.entries(templates).map(([key, template]) => ({ key, path: template.path, node: template.node, template }));

/** The templates that the run is about. */
export const templatesOf = ({ templates, idle }: Pick<Work, "templates" | "idle">): KeyedTemplate<PlacedTemplate>[] =>
  keyed(templates).filter(({ key }) => !idle?.has(key));

/** The work without the templates that the run leaves as they are. */
export const activeOf = (work: Work): Work => ({
  ...work,
  templates: Object.fromEntries(Object.entries(work.templates).filter(([key]) => !work.idle?.has(key))),
});

/** All that clones are made from, also what was made elsewhere. */
export const allTemplatesOf = (fleet: Pick<Fleet, "templates" | "existing">): KeyedTemplate[] =>
  keyed(sourcesIn(fleet));

/** The clones of some sets, `cloneSets` unless others are given. */
export function clonesOf(fleet: Pick<Fleet, "templates" | "existing" | "cloneSets">): SetClone[] {
  const templates = new Map(allTemplatesOf(fleet).map((one) => [one.key, one]));
  return Object.entries(fleet.cloneSets).flatMap(([key, set]) => {
    const source = templates.get(set.template);
    return set.clones.map((clone, position) => {
      const { index = position } = clone;
      const nodes = clone.node === undefined ? set.nodes : [clone.node];
      return { key, set, clone, source, nodes, node: nodes[index % nodes.length] ?? "" };
    });
  });
}

/** What the clones of a set that run on a node are made from: the replica that is there, or the first one. */
export function sourceOn(fleet: Fleet, { template }: CloneSet, node: string): KeyedTemplate | undefined {
  const all = allTemplatesOf(fleet).filter((one) => one.key === template || one.template.replicaOf === template);
  return all.find((one) => one.node === node) ?? all.find((one) => one.key === template);
}

/** The place in the config of a node of a template. */
export function nodePath({ path, node, template }: KeyedTemplate): string {
  if (template.existing) return `${path}.existing`;
  return template.nodes ? `${path}.nodes[${template.nodes.indexOf(node)}]` : `${path}.node`;
}

/** Nodes that clones of a set are cloned from, where they have snippets of their own. */
function cloneSnippetNodes(fleet: Fleet): string[] {
  const sources = sourcesIn(fleet);
  const sets = clonesOf(fleet).flatMap(({ set, clone, source }) =>
    source && ownSnippets(clone.cloudInit ?? [], source.template).length > 0 ? [set.template] : [],
  );
  return [...new Set(sets)].flatMap((template) => Object.keys(replicasOf(sources, template)));
}

/** The nodes that snippets are uploaded to, for templates and for clones that have their own. */
export const snippetNodes = (fleet: Work): string[] => [
  ...new Set([
    ...templatesOf(fleet).flatMap(({ node, template }) => (usesSnippets(template) ? [node] : [])),
    ...cloneSnippetNodes(fleet),
  ]),
];

interface NodeUse {
  node: string;
  path: string;
}

/** The nodes that a set's clones may be put on, each once, with its place: the clone's own, the set's, or the template's. */
export function candidatesOf(fleet: Fleet, key: string): NodeUse[] {
  const set = fleet.cloneSets[key];
  if (!set) return [];
  const own = allTemplatesOf(fleet).filter(
    (one) => one.key === set.template || one.template.replicaOf === set.template,
  );
  // A set whose clones all name a node of their own does not use these.
  const used = set.clones.some(({ node }) => node === undefined) ? set.nodes : [];
  const places = [
    ...used.map((node, index) => {
      const template = own.find((one) => one.node === node);
      return { node, path: template ? nodePath(template) : `cloneSets.${key}.nodes[${index}]` };
    }),
    ...set.clones.flatMap(({ node, path }) => (node === undefined ? [] : [{ node, path: `${path}.node` }])),
  ];
  return distinct(places, ({ node }) => node);
}

/** The nodes that templates are made on and that clones may be put on, with every place in the config that says so. */
export function placesOf(fleet: Fleet): NodeUse[] {
  const standard = fleet.cluster.node;
  return [
    ...templatesOf(fleet).map((one) => ({ node: one.node, path: nodePath(one) })),
    ...Object.keys(fleet.cloneSets).flatMap((key) => candidatesOf(fleet, key)),
  ].map((use) => (use.node === standard ? { node: standard, path: "cluster.node" } : use));
}

/** Every node that the config names, `cluster.node` first, with its places. */
export function nodesOf(fleet: Fleet): NodeUse[] {
  const all = [{ node: fleet.cluster.node, path: "cluster.node" }, ...placesOf(fleet)];
  return distinct(all, ({ node, path }) => `${node} ${path}`);
}

/** Distinct values of what `keyOf` gives, the first item of each. */
export function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const seen = new Map<string, T>();
  for (const item of items) if (!seen.has(keyOf(item))) seen.set(keyOf(item), item);
  return [...seen.values()];
}
