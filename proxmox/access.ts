import { type PveClient, path } from "./client.ts";
import type { Permissions } from "./cluster.ts";

export interface UserEntry {
  userid: string;
  enable?: number;
  /** Seconds since the epoch; 0: never. */
  expire?: number;
}

/** The users that the login may see; its own is always among them. */
export function listUsers(client: PveClient): Promise<UserEntry[]> {
  return client.get("/access/users");
}

export interface AclEntry {
  path: string;
  type: "user" | "group" | "token";
  /** `user@realm`, `user@realm!token`, or a group. */
  ugid: string;
  roleid: string;
  propagate?: number;
}

/** The ACLs of the paths where the login may change them; all of them with Sys.Audit on /access. */
export function listAcls(client: PveClient): Promise<AclEntry[]> {
  return client.get("/access/acl");
}

export interface TokenEntry {
  tokenid: string;
  privsep?: number;
  expire?: number;
}

export function listTokens(client: PveClient, user: string): Promise<TokenEntry[]> {
  return client.get(path`/access/users/${user}/token`);
}

/** Effective privileges of another user. Takes Sys.Audit on /access. */
export function readPermissionsOf(client: PveClient, user: string): Promise<Permissions> {
  return client.get("/access/permissions", { userid: user });
}
