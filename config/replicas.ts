import type { PlacedTemplate } from "./fleet.ts";
import { vmId as vmIdSchema } from "./formats.ts";
import type { Problem } from "./problem.ts";
import { repeated } from "./rules/vmIds.ts";
import type { Template } from "./template.ts";
import { pathText } from "./text.ts";

type Placed = Pick<PlacedTemplate, "node" | "replicaOf">;

/** A template as one on each of its nodes, by key: the first keeps its key, another is `<key>-<node>`. */
export function replicas(key: string, template: Template, node: string): Record<string, PlacedTemplate> {
  const { name = key, nodes = [template.node ?? node] } = template;
  const path = pathText(["templates", key]);
  return Object.fromEntries(
    nodes.map((one, index) => [
      index === 0 ? key : `${key}-${one}`,
      { ...template, path, name, node: one, vmId: template.vmId + index, ...(index > 0 && { replicaOf: key }) },
    ]),
  );
}

/**
 * All templates with their replicas.
 *
 * @param node where a template is that does not say so itself
 */
export function placed(
  templates: Readonly<Record<string, Template>>,
  node: string,
): { templates: Record<string, PlacedTemplate>; problems: Problem[] } {
  const all = Object.entries(templates)
    .flatMap(([key, template]) => Object.entries(replicas(key, template, node)))
    // The user's own keys come first, so that the replica is the one that is reported.
    .sort(([, one], [, other]) => Number(one.replicaOf !== undefined) - Number(other.replicaOf !== undefined));
  const taken = repeated(all, ([key]) => key).map(({ item: [key, template], first: [, first] }) => ({
    path: `${template.path}.nodes`,
    message: `the replica on node ${template.node} is called "${key}", as one of ${first.path} is; expected another key for one of the two`,
  }));
  const tooHigh = Object.entries(templates).flatMap(([key, { vmId, nodes = [] }]): Problem[] => {
    if (vmIdSchema.safeParse(vmId + Math.max(0, nodes.length - 1)).success) return [];
    const message = `found ${vmId} with ${nodes.length} nodes; expected VMIDs up to ${vmIdSchema.maxValue}`;
    return [{ path: pathText(["templates", key, "vmId"]), message }];
  });
  return { templates: Object.fromEntries(all), problems: [...taken, ...tooHigh] };
}

/** The keys of a template's replicas, itself included, by node; none if there is no such template. */
export function replicasOf(templates: Readonly<Record<string, Placed>>, key: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(templates).flatMap(([own, { node, replicaOf }]) =>
      own === key || replicaOf === key ? [[node, own]] : [],
    ),
  );
}

/** The templates as the config has them: of replicas only the first. */
export const originals = (templates: Readonly<Record<string, PlacedTemplate>>): [string, PlacedTemplate][] =>
  Object.entries(templates).filter(([, { replicaOf }]) => replicaOf === undefined);
