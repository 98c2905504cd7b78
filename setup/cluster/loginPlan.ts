import type { Fleet } from "../../config/fleet.ts";
import { parseUserId } from "../../config/formats.ts";
import { list } from "../../config/text.ts";
import { aclLine, type Grant, grantsOf, missingOf, roleLine } from "../../providers/preflight/grants.ts";
import type { Requirement } from "../../providers/preflight/requirements.ts";
import type { AclEntry, TokenEntry, UserEntry } from "../../proxmox/access.ts";
import { type Params, path } from "../../proxmox/client.ts";
import type { Permissions } from "../../proxmox/cluster.ts";
import { privilegesOn } from "../../proxmox/permissions.ts";
import { SetupError } from "./error.ts";

/** What a login for the stack needs, held against what is there. Nothing here asks the cluster. */

/** The login that the stack is to have. */
export interface WantedLogin {
  /** `golden@pve`; made if it does not exist. */
  user: string;
  /** Name of the token: `fleet` makes `golden@pve!fleet`. */
  token: string;
  /** The config that is being written: it says which privileges are needed where. */
  fleet: Fleet;
}

/** One step of a plan. `keep` needs nothing; `conflict` is for the user to solve: nothing is applied while there is one. */
export interface Change {
  what: "user" | "role" | "acl" | "token";
  /** `golden@pve`, `GoldenFleetVms`, `/vms`, `golden@pve!fleet` */
  name: string;
  action: "make" | "add" | "keep" | "conflict";
  /** In words, for the user: `role GoldenFleetVms lacks VM.Clone: it is added, nothing is taken away`. */
  text: string;
  /** Privileges that it has in the end, or that are added. */
  privileges?: readonly string[];
  /** What `applyLogin` sends; of what is made or added. */
  call?: { method: "post" | "put"; path: string; params: Params };
  /** The same as a line for a root shell on a node. */
  line?: string;
}

export interface LoginPlan {
  user: string;
  /** `golden@pve!fleet` */
  tokenId: string;
  /**
   * Without privilege separation, the token has what its user has: right for a user that has nothing else. A user that has more
   * gets a token with privilege separation, and that one ACLs of its own, so that it has no more than the config needs.
   */
  privilegeSeparation: boolean;
  /** In the order in which they are made. */
  changes: readonly Change[];
  /** Whether nothing stands in the way of `applyLogin`. */
  isPossible: boolean;
  /** A token name that is free, if the wanted one is taken. */
  otherToken?: string;
  /** A user name that is free, if the wanted one cannot be used. */
  otherUser?: string;
}

const COMMENT = "proxmox-golden-fleet";

/** What is there of a login. */
export interface Existing {
  users: readonly UserEntry[];
  /** By name: the privileges. */
  roles: ReadonlyMap<string, readonly string[]>;
  acls: readonly AclEntry[];
  tokens: readonly TokenEntry[];
  /** What the user has already, by whatever way. */
  permissions: Permissions;
}

/** A cluster of which nothing is known. */
export const NOTHING: Existing = { users: [], roles: new Map(), acls: [], tokens: [], permissions: {} };

/** @throws SetupError `login` for names that PVE would not take */
export function checkNames({ user, token }: WantedLogin): { realm: string } {
  const parsed = parseUserId(user);
  if (!parsed) throw new SetupError("login", `found the user "${user}"; expected user@realm, for example golden@pve`);
  if (!/^[a-zA-Z][\w.-]+$/.test(token)) {
    const text = `found the token name "${token}"; expected a letter, then letters, digits, "-", "_" and "."`;
    throw new SetupError("login", text);
  }
  return parsed;
}

/** The first of `name-2`, `name-3`, … that is free. */
function otherName(name: string, isTaken: (name: string) => boolean): string {
  for (let n = 2; ; n++) if (!isTaken(`${name}-${n}`)) return `${name}-${n}`;
}

/** Whether a user has more than what is needed: on other paths, or other privileges. */
function hasMore(permissions: Permissions, grants: readonly Grant[]): boolean {
  const wantedOn = (path: string) =>
    grants
      .filter((grant) => {
        // What is granted on a pool counts for the VMs and datastores in it.
        const byPool = grant.path.startsWith("/pool/") && /^\/(vms|storage)\//.test(path);
        return grant.path === path || (grant.propagate && path.startsWith(`${grant.path}/`)) || byPool;
      })
      .flatMap(({ privileges }) => privileges);
  return Object.entries(permissions).some(([path, held]) => {
    const wanted = wantedOn(path);
    return Object.keys(held).some((name) => !wanted.includes(name));
  });
}

function userChange({ user }: WantedLogin, { users }: Existing): Change {
  const change = { what: "user", name: user } as const;
  const found = users.find(({ userid }) => userid === user);
  if (!found)
    return {
      ...change,
      action: "make",
      text: `user ${user} is made, without a password`,
      call: { method: "post", path: "/access/users", params: { userid: user, comment: COMMENT } },
      line: `pveum user add ${user} --comment ${COMMENT}`,
    };
  const { enable = 1, expire = 0 } = found;
  const ended = expire > 0 && expire * 1000 < Date.now();
  if (enable === 0 || ended)
    return {
      ...change,
      action: "conflict",
      text: `user ${user} exists, but ${ended ? "has ended" : "is disabled"}: choose another one, or enable it`,
    };
  return { ...change, action: "keep", text: `user ${user} exists, and stays as it is` };
}

function roleChange(
  { role, privileges }: Pick<Grant, "role" | "privileges">,
  { roles, acls }: Existing,
  user: string,
): Change {
  const change = { what: "role", name: role, privileges } as const;
  const found = roles.get(role);
  if (!found)
    return {
      ...change,
      action: "make",
      text: `role ${role} is made: ${privileges.join(", ")}`,
      call: { method: "post", path: "/access/roles", params: { roleid: role, privs: privileges.join(",") } },
      line: roleLine({ role, privileges }, false),
    };
  const missing = privileges.filter((one) => !found.includes(one));
  const extra = found.filter((one) => !privileges.includes(one));
  const more = extra.length > 0 ? `; it has ${list(extra)} besides` : "";
  if (missing.length === 0) return { ...change, action: "keep", text: `role ${role} has all that is needed${more}` };
  const others = [...new Set(acls.flatMap(({ roleid, ugid }) => (roleid === role && ugid !== user ? [ugid] : [])))];
  const alsoFor = others.length > 0 ? `, for ${list(others)} too` : "";
  return {
    ...change,
    action: "add",
    privileges: missing,
    text: `role ${role} lacks ${list(missing)}: that is added${alsoFor}, nothing is taken away${more}`,
    call: { method: "put", path: path`/access/roles/${role}`, params: { privs: missing.join(","), append: true } },
    line: roleLine({ role, privileges: missing }, true),
  };
}

/** An ACL for a user or a token. */
function aclChange(grant: Grant, who: string, { acls, permissions }: Existing): Change {
  const { path: at, role, privileges, propagate } = grant;
  const own = acls.filter(({ path, ugid }) => path === at && ugid === who);
  const change = { what: "acl", name: at, privileges } as const;
  const entry = own.find(({ roleid }) => roleid === role);
  if (entry && Number(entry.propagate ?? 1) >= Number(propagate))
    return { ...change, action: "keep", text: `${who} has the role ${role} on ${at}` };
  const isToken = who.includes("!");
  // The first ACL of a user on a path hides what it has there by its groups, or from above.
  const hidden =
    own.length > 0 || isToken ? [] : [...privilegesOn(permissions, at)].filter((one) => !privileges.includes(one));
  const loses = hidden.length > 0 ? `; it loses ${list(hidden)} there, which it has by a group or from above` : "";
  return {
    ...change,
    action: "make",
    text: `${who} gets the role ${role} on ${at}${propagate ? "" : ", and not below"}${loses}`,
    call: {
      method: "put",
      path: "/access/acl",
      params: { path: at, roles: role, [isToken ? "tokens" : "users"]: who, propagate },
    },
    line: aclLine(grant, isToken ? `--tokens '${who}'` : `--users ${who}`),
  };
}

function tokenChange({ user, token }: WantedLogin, { tokens }: Existing, privilegeSeparation: boolean): Change {
  const name = `${user}!${token}`;
  if (tokens.some(({ tokenid }) => tokenid === token)) {
    const text = `token ${name} exists: its secret was shown once and cannot be read again. Give it, or choose another name`;
    return { what: "token", name, action: "conflict", text };
  }
  const how = privilegeSeparation ? "with privilege separation: it has its own ACLs alone" : "it has what its user has";
  const privsep = Number(privilegeSeparation);
  return {
    what: "token",
    name,
    action: "make",
    text: `token ${name} is made; ${how}`,
    call: { method: "post", path: path`/access/users/${user}/token/${token}`, params: { privsep, comment: COMMENT } },
    line: `pveum user token add ${user} ${token} --privsep ${privsep}      # prints the secret, once`,
  };
}

/** All privileges of some grants: paths such as `/pool/a-b` and `/pool/a/b` share a role. */
const namesOf = (grants: readonly Grant[]) => [...new Set(grants.flatMap(({ privileges }) => privileges))].sort();

const keptAcl = ({ path: at, privileges }: Grant, user: string): Change => ({
  what: "acl",
  name: at,
  privileges,
  action: "keep",
  text: `${user} has all that is needed on ${at}`,
});

/** The plan for what is needed and what is there. */
export function planFor(wanted: WantedLogin, needs: readonly Requirement[], existing: Existing): LoginPlan {
  const { user, token } = wanted;
  const tokenId = `${user}!${token}`;
  const ofUser = userChange(wanted, existing);
  const isNew = ofUser.action === "make";
  const aclPaths = (who: string) => new Set(existing.acls.flatMap(({ path, ugid }) => (ugid === who ? [path] : [])));
  const userPaths = aclPaths(user);
  const grants = grantsOf(needs, (at) => userPaths.has(at));
  const privilegeSeparation = !isNew && hasMore(existing.permissions, grants);
  // What the user has by whatever way needs no ACL; if all of a path is there, it stays as it is.
  const lacking = new Set(missingOf(needs, existing.permissions).map(({ grant }) => grant.path));
  const forUser = grants.filter(({ path: at }) => isNew || lacking.has(at));
  const forToken = privilegeSeparation ? grantsOf(needs) : [];
  const roles = Map.groupBy([...forUser, ...forToken], ({ role }) => role);
  const changes = [
    ofUser,
    ...[...roles].map(([role, all]) => roleChange({ role, privileges: namesOf(all) }, existing, user)),
    ...grants.map((grant) => (forUser.includes(grant) ? aclChange(grant, user, existing) : keptAcl(grant, user))),
    tokenChange(wanted, existing, privilegeSeparation),
    ...forToken.map((grant) => aclChange(grant, tokenId, existing)),
  ];
  const conflicts = new Set(changes.flatMap(({ action, what }) => (action === "conflict" ? [what] : [])));
  const [name = "", realm = ""] = [user.slice(0, user.lastIndexOf("@")), user.slice(user.lastIndexOf("@") + 1)];
  return {
    user,
    tokenId,
    privilegeSeparation,
    changes,
    isPossible: conflicts.size === 0,
    ...(conflicts.has("token") && {
      otherToken: otherName(token, (one) => existing.tokens.some(({ tokenid }) => tokenid === one)),
    }),
    ...(conflicts.has("user") && {
      otherUser: `${otherName(name, (one) => existing.users.some(({ userid }) => userid === `${one}@${realm}`))}@${realm}`,
    }),
  };
}
