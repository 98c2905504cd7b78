import type { Fleet } from "../../config/fleet.ts";
import type { PveClient } from "../../proxmox/client.ts";

/** The login that the stack is to have. */
export interface WantedLogin {
  /** `golden@pve`, a user of PVE's own realm unless it exists already. */
  user: string;
  /** Name of the token: `fleet` makes `golden@pve!fleet`. */
  token: string;
  /** The config that is being written: it says which privileges are needed where. */
  fleet: Fleet;
}

/** One step of a plan. `keep` needs nothing; `conflict` is for the user to solve: nothing is applied while there is one. */
export interface Change<K extends "make" | "add" | "keep" | "conflict" = "make" | "add" | "keep" | "conflict"> {
  what: "user" | "role" | "acl" | "token";
  /** `golden@pve`, `GoldenFleetVms`, `/vms`, `golden@pve!fleet` */
  name: string;
  action: K;
  /** In words, for the user: `role GoldenFleetVms lacks VM.Clone; it is added, nothing is taken away`. */
  text: string;
  /** Privileges that it has in the end, or that are added. */
  privileges?: readonly string[];
}

export interface LoginPlan {
  user: string;
  /** `golden@pve!fleet` */
  tokenId: string;
  changes: readonly Change[];
  /** Whether something would be made or changed. */
  isNeeded: boolean;
  /** A token name that is free, if the wanted one is taken. */
  otherToken?: string;
  /** A user name that is free, if the wanted one is not to be used. */
  otherUser?: string;
}

/** What has been made so far. */
export interface MadeLogin {
  tokenId: string;
  /** Shown by PVE once; nobody can read it again. */
  secret: string;
  /** `user golden@pve`, `role GoldenFleetVms`, … */
  made: readonly string[];
}

/**
 * What is there of a login, and what would be made or changed. Changes nothing.
 *
 * The token is made without privilege separation: it then has exactly what its user has, and the user exists for it alone. With
 * it, each ACL would be needed twice, for the user and for the token.
 *
 * @throws SetupError `rights` if the client's login may not look at users, roles or ACLs
 */
export function planLogin(_client: PveClient, _wanted: WantedLogin): Promise<LoginPlan> {
  throw new Error("not there yet");
}

/**
 * Makes user, roles, ACLs and token as planned, in this order; the token comes last, so that a run that broke off can be repeated.
 *
 * @throws SetupError `exists` if the plan has conflicts; `rights` with the privilege that is missing; `refused` with PVE's words.
 * Each says what was made before.
 */
export function applyLogin(_client: PveClient, _plan: LoginPlan): Promise<MadeLogin> {
  throw new Error("not there yet");
}

/**
 * The same as lines for a root shell on a node. They take away nothing; run twice, the lines of what exists fail and do no harm.
 *
 * @param client asked which of it is there already and in which SDN zone a bridge is, as far as its login may see it
 */
export function pveumLines(_wanted: WantedLogin, _client?: PveClient): Promise<string[]> {
  throw new Error("not there yet");
}

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
export function checkLogin(_client: PveClient, _fleet: Fleet): Promise<Missing[]> {
  throw new Error("not there yet");
}
