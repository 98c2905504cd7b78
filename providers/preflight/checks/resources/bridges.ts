import { didYouMean } from "../../../../config/text.ts";
import { privilegesOn } from "../../../../proxmox/permissions.ts";
import { bridgeUses } from "../../deviceNeeds.ts";
import { type Check, each, type Finding, fail, orPass, skip } from "../../finding.ts";
import { distinct } from "../../needs.ts";

const BRIDGES = new Set(["bridge", "OVSBridge"]);

/** Every bridge of the config exists on its node. PVE takes any name at create and fails at start. */
export const bridgeExists: Check = {
  id: "bridge-exists",
  group: "resources",
  async run(facts) {
    const uses = distinct(bridgeUses(facts.fleet), ({ node, bridge, path }) => `${node} ${bridge} ${path}`);
    if (uses.length === 0) return [];
    const problems = await each(uses, async ({ node, bridge, path }): Promise<Finding[]> => {
      const own = (await facts.interfaces(node)).filter(({ type }) => BRIDGES.has(type));
      if (own.some(({ iface }) => iface === bridge)) return [];
      const all = [...own, ...(await facts.bridges(node))].map(({ iface }) => iface);
      if (all.includes(bridge)) return [];
      const acl = `/sdn/zones/localnetwork/${bridge}`;
      if (!privilegesOn(await facts.permissions(), acl).has("SDN.Use"))
        return [skip(`bridge ${bridge} cannot be seen without SDN.Use on ${acl}, see privileges`, { path })];
      const known = [...new Set(all)].sort();
      const meant = didYouMean(bridge, known);
      return [
        fail(
          `found "${bridge}", but node ${node} has no such bridge; ${meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ") || "(it has none)"}`}`,
          { path },
        ),
      ];
    });
    return orPass(problems, "every bridge exists on its node");
  },
};
