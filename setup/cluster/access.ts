import type { Fleet } from "../../config/fleet.ts";
import { parseUserId } from "../../config/formats.ts";
import { list } from "../../config/text.ts";
import { aclLine, type Grant, grantLines, grantsOf, missingOf, roleLine } from "../../providers/preflight/grants.ts";
import { type Requirement, requirementsOf } from "../../providers/preflight/requirements.ts";
import {
  type AclEntry,
  listAcls,
  listTokens,
  listUsers,
  readPermissionsOf,
  type TokenEntry,
  type UserEntry,
} from "../../proxmox/access.ts";
import { type Params, type PveClient, path } from "../../proxmox/client.ts";
import { listRoles, type Permissions, readPermissions } from "../../proxmox/cluster.ts";
import { ApiError, answerOf } from "../../proxmox/errors.ts";
import { privilegesOn } from "../../proxmox/permissions.ts";
import { SetupError } from "./error.ts";
import { lackedToMakeLogins } from "./loginRights.ts";
import { needsWithout, surroundingsFrom } from "./needs.ts";

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

/** What has been made. */
export interface MadeLogin {
  tokenId: string;
  /** Shown by PVE once; nobody can read it again. */
  secret: string;
  /** `user golden@pve`, `role GoldenFleetVms`, … */
  made: readonly string[];
}

const COMMENT = "proxmox-golden-fleet";

/** What is there of a login. */
interface Existing {
  users: readonly UserEntry[];
  /** By name: the privileges. */
  roles: ReadonlyMap<string, readonly string[]>;
  acls: readonly AclEntry[];
  tokens: readonly TokenEntry[];
  /** What the user has already, by whatever way. */
  permissions: Permissions;
}

const NOTHING: Existing = { users: [], roles: new Map(), acls: [], tokens: [], permissions: {} };

async function whatExists(client: PveClient, user: string): Promise<Existing> {
  const [users, roles, acls] = await Promise.all([listUsers(client), listRoles(client), listAcls(client)]);
  const isThere = users.some(({ userid }) => userid === user);
  const [tokens, permissions] = isThere
    ? await Promise.all([listTokens(client, user), readPermissionsOf(client, user)])
    : [[], {}];
  return { users, roles: rolesOf(roles), acls, tokens, permissions };
}

const rolesOf = (roles: readonly { roleid: string; privs?: string }[]) =>
  new Map(roles.map(({ roleid, privs = "" }) => [roleid, privs.split(",").filter(Boolean)]));

function checkNames({ user, token }: WantedLogin): { realm: string } {
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

function roleChange({ role, privileges }: Grant, { roles, acls }: Existing, user: string): Change {
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

const isThere = ({ path: at, privileges }: Grant, user: string): Change => ({
  what: "acl",
  name: at,
  privileges,
  action: "keep",
  text: `${user} has all that is needed on ${at}`,
});

/** The plan for what is needed and what is there. */
function planFor(wanted: WantedLogin, needs: readonly Requirement[], existing: Existing): LoginPlan {
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
  const roles = new Map([...forUser, ...forToken].map((grant) => [grant.role, grant]));
  const changes = [
    ofUser,
    ...[...roles.values()].map((grant) => roleChange(grant, existing, user)),
    ...grants.map((grant) => (forUser.includes(grant) ? aclChange(grant, user, existing) : isThere(grant, user))),
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

/**
 * What is there of a login, and what would be made or changed. Changes nothing.
 *
 * @throws SetupError `rights` if the client's login may not make one: it names the privileges, and `todo` has the lines that
 * do the same on a node
 */
export async function planLogin(client: PveClient, wanted: WantedLogin): Promise<LoginPlan> {
  const { realm } = checkNames(wanted);
  const { login } = client.connection;
  const who = login.kind === "token" ? login.id : login.username;
  const [permissions, needs] = await Promise.all([readPermissions(client), needsFrom(client, wanted.fleet)]);
  const lacking = lackedToMakeLogins(who, permissions, realm);
  if (lacking.length > 0) {
    const names = lacking.map(({ path: at, privilege }) => `${privilege} on ${at}`);
    const todo = await pveumLines(wanted, client);
    throw new SetupError("rights", `${who} may not make a login for the stack: it lacks ${list(names)}`, todo);
  }
  return planFor(wanted, needs, await whatExists(client, wanted.user));
}

/**
 * Makes user, roles, ACLs and token as planned, in this order. It can be planned and applied again after it broke off.
 *
 * @throws SetupError `exists` if the plan has conflicts; `rights` or `refused` with PVE's words. They say what was made before.
 */
export async function applyLogin(client: PveClient, plan: LoginPlan): Promise<MadeLogin> {
  const { tokenId, changes } = plan;
  const conflicts = changes.filter(({ action }) => action === "conflict");
  if (conflicts.length > 0) throw new SetupError("exists", conflicts.map(({ text }) => text).join("; "));
  const made: string[] = [];
  let secret = "";
  for (const { call, what, name } of changes) {
    if (!call) continue;
    try {
      const answer = await client[call.method]<{ value?: string } | null>(call.path, call.params);
      if (what === "token") secret = answer?.value ?? "";
      made.push(what === "acl" ? `ACL on ${name}` : `${what} ${name}`);
    } catch (error) {
      throw await brokenOff(client, plan, { what, name, made, hasToken: secret !== "", error });
    }
  }
  return { tokenId, secret, made };
}

async function brokenOff(
  client: PveClient,
  { user, tokenId }: LoginPlan,
  {
    what,
    name,
    made,
    hasToken,
    error,
  }: { what: string; name: string; made: string[]; hasToken: boolean; error: unknown },
): Promise<SetupError> {
  // A token whose secret nobody has seen is of no use.
  const isGone = hasToken && (await removed(client, user, tokenId));
  const left = made.filter((one) => !(isGone && one === `token ${tokenId}`));
  const before =
    left.length > 0 ? `Made before that, and left as it is: ${list(left)}` : "Nothing was made before that";
  const text = `${what === "acl" ? `the ACL on ${name}` : `${what} ${name}`} was not made: ${answerOf(error)}. ${before}`;
  const code = error instanceof ApiError && error.status === 403 ? "rights" : "refused";
  return new SetupError(code, text, ["Run it again: what is there is not made twice."], { cause: error });
}

async function removed(client: PveClient, user: string, tokenId: string): Promise<boolean> {
  try {
    await client.delete(path`/access/users/${user}/token/${tokenId.slice(user.length + 1)}`);
    return true;
  } catch {
    return false;
  }
}

/**
 * The same as lines for a root shell on a node. They take nothing away. A line whose user or role exists by now fails, and
 * does no harm.
 *
 * @param client asked for the roles that exist and the SDN zones of bridges, and, if its login may see them, for user and ACLs
 */
export async function pveumLines(wanted: WantedLogin, client?: PveClient): Promise<string[]> {
  checkNames(wanted);
  const needs = client ? await needsFrom(client, wanted.fleet) : needsWithout(wanted.fleet);
  const existing = client ? await whatIsSeen(client, wanted.user) : NOTHING;
  return planFor(wanted, needs, existing).changes.flatMap(({ line }) => line ?? []);
}

async function whatIsSeen(client: PveClient, user: string): Promise<Existing> {
  try {
    return await whatExists(client, user);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { ...NOTHING, roles: rolesOf(await listRoles(client).catch(() => [])) };
  }
}

const needsFrom = async (client: PveClient, fleet: Fleet): Promise<Requirement[]> =>
  requirementsOf(fleet, await surroundingsFrom(client, fleet));

/** What a login still lacks for the config. */
export interface Missing {
  /** ACL path. */
  path: string;
  privileges: readonly string[];
  /** The lines that grant it. */
  todo: readonly string[];
}

/**
 * What the client's own login lacks for the config; empty if it has all that preflight asks for.
 *
 * @param client logged in as the stack will be, for example with the token that the user pasted
 */
export async function checkLogin(client: PveClient, fleet: Fleet): Promise<Missing[]> {
  const { login } = client.connection;
  const [permissions, needs] = await Promise.all([readPermissions(client), needsFrom(client, fleet)]);
  const missing = missingOf(needs, permissions);
  if (missing.length === 0) return [];
  const roles = (await listRoles(client).catch(() => [])).map(({ roleid }) => roleid);
  return missing.map(({ grant, privileges }) => ({
    path: grant.path,
    privileges,
    todo: grantLines(grant, login, roles),
  }));
}
