import { parseTokenId } from "../../../../config/formats.ts";
import type { Login } from "../../../../config/login.ts";
import { list } from "../../../../config/text.ts";
import type { Permissions } from "../../../../proxmox/cluster.ts";
import { privilegesOn } from "../../../../proxmox/permissions.ts";
import { bridgeUses } from "../../deviceNeeds.ts";
import type { Facts } from "../../facts.ts";
import { type Check, fail, note, orPass } from "../../finding.ts";
import { type Requirement, requirementsOf } from "../../requirements.ts";

const holds = (permissions: Permissions, { path, privilege, or = [] }: Requirement): boolean =>
  privilegesOn(permissions, path).has(privilege) ||
  or.some((other) => other.privileges.every((one) => privilegesOn(permissions, other.path).has(one)));

/** `GoldenFleetStorageLocal` for `/storage/local` */
export function roleName(path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter(Boolean);
  return `GoldenFleet${words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("")}`;
}

/** Who gets an ACL: a token with privilege separation has what both it and its user have, one without what its user has. */
function receivers(login: Login): string {
  if (login.kind === "password") return `--users ${login.username}`;
  const user = parseTokenId(login.id)?.user;
  return user === "root@pam" ? `--tokens '${login.id}'` : `--users ${user} --tokens '${login.id}'`;
}

/** The lines that grant everything that is needed on a path: a role of its own there hides what is inherited from above. */
export function grantLines(
  path: string,
  privileges: readonly string[],
  login: Login,
  roles: readonly string[],
): string[] {
  const role = roleName(path);
  const names = [...new Set(privileges)].sort().join(" ");
  return [
    roles.includes(role)
      ? `pveum role modify ${role} --append 1 --privs "${names}"`
      : `pveum role add ${role} --privs "${names}"`,
    `pveum acl modify ${path} --roles ${role} ${receivers(login)}${path === "/" ? " --propagate 0" : ""}`,
  ];
}

/** The SDN zones of bridges that are not the node's own. */
async function zones(facts: Facts): Promise<(bridge: string) => string> {
  const uses = bridgeUses(facts.fleet);
  const own = await Promise.all(
    [...new Set(uses.map(({ node }) => node))].map((node) => facts.interfaces(node).catch(() => [])),
  );
  const local = new Set(own.flat().map(({ iface }) => iface));
  const vnets = uses.every(({ bridge }) => local.has(bridge)) ? [] : await facts.vnets().catch(() => []);
  return (bridge) => vnets.find(({ vnet }) => vnet === bridge)?.zone ?? "localnetwork";
}

/** The login has every privilege that this very config needs, on every path. */
export const privileges: Check = {
  id: "privileges",
  group: "permissions",
  async run(facts) {
    const { fleet, login } = facts;
    const [permissions, version, zoneOf] = await Promise.all([facts.permissions(), facts.version(), zones(facts)]);
    const guests = new Map((await facts.guests()).map((guest) => [guest.vmid, guest]));
    const needs = requirementsOf(fleet, { version, guests, zoneOf });
    const missing = needs.filter((one) => !holds(permissions, one));
    if (missing.length === 0) return orPass([], `${needs.length} privileges are there`);
    const roles = (await facts.roles().catch(() => [])).map(({ roleid }) => roleid);
    // Where a path has ACLs of its own, one above it would do nothing. What comes by a pool is added to them.
    const grantAt = ({ path, grant }: Requirement) => (permissions[path] && !grant.startsWith("/pool/") ? path : grant);
    const paths = [...new Set(missing.map(grantAt))].sort();
    return paths.map((path) => {
      const here = missing.filter((one) => grantAt(one) === path);
      const names = [...new Set(here.map(({ privilege }) => privilege))].sort();
      const asked = [...new Set(here.map((one) => one.path))];
      const on = asked.length === 1 && asked[0] === path ? "" : ` (looked at ${list(shorten(asked))})`;
      const whole = needs.filter((one) => grantAt(one) === path).map(({ privilege }) => privilege);
      const who = login.kind === "token" ? `token ${login.id}` : login.username;
      const text = `${who} has no ${list(names, "and no")} on ${path}${on}`;
      const todo = grantLines(path, whole, login, roles);
      if (here.every(({ optional }) => optional))
        return note(`${text}: the addresses that clones get by DHCP cannot be told`, { todo });
      return fail(text, { todo });
    });
  },
};

const shorten = (paths: readonly string[]) =>
  paths.length <= 4 ? paths : [...paths.slice(0, 3), `${paths.length - 3} more`];
