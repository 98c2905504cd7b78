import { didYouMean } from "../../../../config/text.ts";
import { type Check, fail, orPass } from "../../finding.ts";
import { distinct, nodesOf } from "../../needs.ts";

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

/** Every node that the config names is online. */
export const nodeOnline: Check = {
  id: "node-online",
  group: "environment",
  async run({ fleet, nodes }) {
    const known = new Map((await nodes()).map(({ node, status }) => [node, status]));
    const problems = distinct(nodesOf(fleet), ({ node }) => node).flatMap(({ node, path }) => {
      const status = known.get(node);
      return status === undefined || status === "online"
        ? []
        : [
            fail(`node ${node} is ${status}; expected it online`, {
              path,
              todo: ["Start the node, or see on another one what the cluster says: pvecm status"],
            }),
          ];
    });
    return orPass(problems, "all nodes of the config are online");
  },
};
