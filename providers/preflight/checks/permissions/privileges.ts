import { list } from "../../../../config/text.ts";
import { type Check, fail, note, orPass } from "../../finding.ts";
import { grantLines, missingOf } from "../../grants.ts";
import { requirementsOf } from "../../requirements.ts";
import { surroundingsOf } from "../../surroundings.ts";

/** The login has every privilege that this very config needs, on every path. */
export const privileges: Check = {
  id: "privileges",
  group: "permissions",
  async run(facts) {
    const { fleet, login } = facts;
    const [permissions, surroundings] = await Promise.all([facts.permissions(), surroundingsOf(facts)]);
    const needs = requirementsOf(fleet, surroundings);
    const missing = missingOf(needs, permissions);
    if (missing.length === 0) return orPass([], `${needs.length} privileges are there`);
    const roles = (await facts.roles().catch(() => [])).map(({ roleid }) => roleid);
    const who = login.kind === "token" ? `token ${login.id}` : login.username;
    return missing.map(({ grant, privileges: names, asked, optional }) => {
      const on = asked.length === 1 && asked[0] === grant.path ? "" : ` (looked at ${list(shorten(asked))})`;
      const text = `${who} lacks ${list(names)} on ${grant.path}${on}`;
      const todo = grantLines(grant, login, roles);
      return optional ? note(`${text}, so this cannot be told: ${optional}`, { todo }) : fail(text, { todo });
    });
  },
};

const shorten = (paths: readonly string[]) =>
  paths.length <= 4 ? paths : [...paths.slice(0, 3), `${paths.length - 3} more`];
