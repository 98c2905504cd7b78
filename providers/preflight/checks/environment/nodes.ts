import { didYouMean, list } from "../../../../config/text.ts";
import type { Facts } from "../../facts.ts";
import { type Check, type Finding, fail, orPass, warn } from "../../finding.ts";
import { clonesOf, distinct, type KeyedTemplate, nodePath, nodesOf, placesOf, templatesOf } from "../../needs.ts";
import { ranges } from "../../ranges.ts";

/** Every node that the config names is one of the cluster. */
export const nodeExists: Check = {
  id: "node-exists",
  group: "environment",
  async run({ fleet, nodes }) {
    const known = (await nodes()).map(({ node }) => node).sort();
    const problems = nodesOf(fleet).flatMap(({ node, path }) => {
      if (known.includes(node)) return [];
      const meant = didYouMean(node, known);
      return [
        fail(
          `found "${node}", but the cluster has no such node; ${meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ")}`}`,
          { path },
        ),
      ];
    });
    return orPass(problems, `nodes: ${known.join(", ")}`);
  },
};

/** What the config has on a node. */
interface OnNode {
  /** Templates that are to be made on it. */
  unmade: KeyedTemplate[];
  /** What is on it, or is to be cloned there. */
  vms: string[];
}

async function configuredOn(facts: Facts, wanted: string): Promise<OnNode> {
  const nodes = new Map((await facts.guests()).map(({ vmid, node }) => [vmid, node]));
  const templates = templatesOf(facts.fleet).filter(
    ({ node, template }) => (nodes.get(template.vmId) ?? node) === wanted,
  );
  const isMade = ({ template }: KeyedTemplate) => nodes.has(template.vmId);
  const clones = clonesOf(facts.fleet).filter(({ node, clone }) => (nodes.get(clone.vmId) ?? node) === wanted);
  return {
    unmade: templates.filter((one) => !isMade(one)),
    vms: [
      ...templates.filter(isMade).map(({ path, template }) => `${template.vmId} (${path})`),
      ...[...Map.groupBy(clones, ({ key }) => key)].map(
        ([key, all]) => `${ranges(all.map(({ clone }) => clone.vmId))} (cloneSets.${key})`,
      ),
    ],
  };
}

const TODO = "Start the node, or see on another one what the cluster says: pvecm status";

/**
 * The nodes of the config's templates and clones answer. One that is down does not stop what is on the others: it is a
 * failure where nothing is left to be done, and where a template is to be made on it.
 */
export const nodeOnline: Check = {
  id: "node-online",
  group: "environment",
  async run(facts) {
    const status = new Map((await facts.nodes()).map((one) => [one.node, one.status]));
    // That a node does not exist is told by node-exists.
    const used = distinct(placesOf(facts.fleet), ({ node }) => node).filter(({ node }) => status.has(node));
    const answers = await Promise.all(used.map(({ node }) => facts.answers(node)));
    const down = used.filter((_, index) => !answers[index]);
    const findings = down.map(async ({ node, path }): Promise<Finding[]> => {
      const what = `node ${node} ${status.get(node) === "offline" ? "is offline" : "does not answer"}`;
      if (down.length === used.length) return [fail(`${what}; expected it online`, { path, todo: [TODO] })];
      const { unmade, vms } = await configuredOn(facts, node);
      const missing = unmade.map((one) =>
        fail(`${what}, and ${one.path} is to be made there`, { path: nodePath(one), todo: [TODO] }),
      );
      const rest =
        vms.length === 0
          ? "nothing of this stack is on it"
          : `${list(vms)} can be neither made nor changed until it is back; everything else goes on`;
      return missing.length > 0 && vms.length === 0
        ? missing
        : [...missing, warn(`${what}: ${rest}`, { path, todo: [TODO] })];
    });
    return orPass((await Promise.all(findings)).flat(), "all nodes of the config are online");
  },
};
