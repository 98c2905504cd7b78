import type { Fleet } from "../../config/fleet.ts";
import { list } from "../../config/text.ts";
import { grantLines, missingOf } from "../../providers/preflight/grants.ts";
import { type Requirement, requirementsOf } from "../../providers/preflight/requirements.ts";
import { listAcls, listTokens, listUsers, readPermissionsOf } from "../../proxmox/access.ts";
import { type PveClient, path } from "../../proxmox/client.ts";
import { listRoles, readPermissions } from "../../proxmox/cluster.ts";
import { ApiError, answerOf } from "../../proxmox/errors.ts";
import { SetupError } from "./error.ts";
import { checkNames, type Existing, type LoginPlan, NOTHING, planFor, type WantedLogin } from "./loginPlan.ts";
import { lackedToMakeLogins } from "./loginRights.ts";
import { needsWithout, surroundingsFrom } from "./needs.ts";

export type { Change, LoginPlan, WantedLogin } from "./loginPlan.ts";

/** What has been made. */
export interface MadeLogin {
  tokenId: string;
  /** Shown by PVE once; nobody can read it again. */
  secret: string;
  /** `user golden@pve`, `role GoldenFleetVms`, … */
  made: readonly string[];
}

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
  /** Whether the stack works without it, and tells less. */
  optional: boolean;
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
  return missing.map(({ grant, privileges, optional }) => ({
    path: grant.path,
    privileges,
    optional: optional !== undefined,
    todo: grantLines(grant, login, roles),
  }));
}
