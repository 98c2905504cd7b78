import { ownSnippets } from "../../../../config/rules/firstBoot.ts";
import { usesSnippets } from "../../../../config/rules/snippets.ts";
import { list } from "../../../../config/text.ts";
import type { Facts } from "../../facts.ts";
import { type Check, each, type Finding, fail, orPass } from "../../finding.ts";
import { allTemplatesOf, candidatesOf, type KeyedTemplate, sourceOn } from "../../needs.ts";
import { volumesOf } from "../../storageNeeds.ts";

interface Away {
  /** Key of the clone set. */
  key: string;
  /** Node without a replica of the template that clones may be put on. */
  node: string;
  path: string;
  source: KeyedTemplate;
}

/** PVE clones to another node from shared datastores only; and a clone's snippets must be where it starts. */
async function reach(facts: Facts, { key, node, path, source }: Away): Promise<Finding[]> {
  const { cluster } = facts.fleet;
  const found = await facts.datastores(source.node);
  const own = facts.fleet.cloneSets[key]?.clones ?? [];
  const withSnippets =
    usesSnippets(source.template) ||
    own.some(({ cloudInit = [] }) => ownSnippets(cloudInit, source.template).length > 0);
  const needed = [
    ...volumesOf(source, cluster).map(({ datastore }) => datastore),
    ...(withSnippets ? [cluster.datastores.snippets] : []),
  ];
  // One that does not exist is told by datastore-exists.
  const local = [...new Set(needed)].filter((name) => found.some(({ storage, shared }) => storage === name && !shared));
  if (local.length === 0) return [];
  const { path: template } = source;
  const nodes = allTemplatesOf(facts.fleet).flatMap((one) => (one.path === template ? one.node : []));
  return [
    fail(
      `clones of cloneSets.${key} may be put on node ${node}, but ${template} is on ${list(nodes)} only, and ${list(local)} ${local.length === 1 ? "is" : "are"} not shared`,
      {
        path,
        todo: source.template.existing
          ? [
              `Name the nodes of its clones, cloneSets.${key}.nodes: [${source.node}], or put its disks on shared datastores.`,
            ]
          : [
              `Add ${node} to ${template}.nodes: [${[...nodes, node].join(", ")}] makes a replica there;`,
              `or put the template's disks${withSnippets ? " and the snippets" : ""} on shared datastores.`,
            ],
      },
    ),
  ];
}

/** Every node that a clone may be put on has a replica of its template, or reaches the one that there is. */
export const templateOnNode: Check = {
  id: "template-on-node",
  group: "resources",
  async run(facts) {
    const { fleet } = facts;
    const sets = Object.entries(fleet.cloneSets);
    if (sets.length === 0) return [];
    const away = sets.flatMap(([key, set]) =>
      candidatesOf(fleet, key).flatMap(({ node, path }): Away[] => {
        const source = sourceOn(fleet, set, node);
        return source && source.node !== node ? [{ key, node, path, source }] : [];
      }),
    );
    const problems = await each(away, (one) => reach(facts, one));
    return orPass(problems, "every clone's template can be reached from its node");
  },
};
