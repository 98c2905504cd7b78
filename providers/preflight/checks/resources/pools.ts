import { privilegesOn } from "../../../../proxmox/permissions.ts";
import { poolUses } from "../../deviceNeeds.ts";
import { type Check, type Finding, fail, orPass, skip } from "../../finding.ts";

/** `prod`, `prod/web` of `prod/web` */
const levels = (pool: string): string[] =>
  pool.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/"));

/** Every pool of the config exists. */
export const poolExists: Check = {
  id: "pool-exists",
  group: "resources",
  async run(facts) {
    const uses = poolUses(facts.fleet);
    if (uses.length === 0) return [];
    const known = (await facts.pools()).map(({ poolid }) => poolid);
    const permissions = await facts.permissions();
    // A pool that cannot be seen may exist.
    const isSeen = (pool: string) => privilegesOn(permissions, `/pool/${pool}`).has("Pool.Audit");
    const problems = uses.flatMap(({ pool, path }): Finding[] => {
      if (known.includes(pool)) return [];
      if (!isSeen(pool)) return [skip(`pool ${pool} cannot be seen without Pool.Audit, see privileges`, { path })];
      // PVE makes a nested pool only in one that exists.
      const missing = levels(pool).filter((one) => !known.includes(one) && isSeen(one));
      const todo = missing.map((one) => `pveum pool add ${one}`);
      return [fail(`found "${pool}", but there is no such pool`, { path, todo })];
    });
    return orPass(problems, "every pool exists");
  },
};
