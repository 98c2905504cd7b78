import { privilegesOn } from "../../../../proxmox/permissions.ts";
import { poolUses } from "../../deviceNeeds.ts";
import { type Check, type Finding, fail, orPass, skip } from "../../finding.ts";

/** Every pool of the config exists. */
export const poolExists: Check = {
  id: "pool-exists",
  group: "resources",
  async run(facts) {
    const uses = poolUses(facts.fleet);
    if (uses.length === 0) return [];
    const known = (await facts.pools()).map(({ poolid }) => poolid);
    const permissions = await facts.permissions();
    const problems = uses.flatMap(({ pool, path }): Finding[] => {
      if (known.includes(pool)) return [];
      if (!privilegesOn(permissions, `/pool/${pool}`).has("Pool.Audit"))
        return [skip(`pool ${pool} cannot be seen without Pool.Audit, see privileges`, { path })];
      return [fail(`found "${pool}", but there is no such pool`, { path, todo: [`pveum pool add ${pool}`] })];
    });
    return orPass(problems, "every pool exists");
  },
};
