import type { Json } from "../fleet/cloudInit/json.ts";
import { toYaml } from "../fleet/cloudInit/yaml.ts";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";

/** What other tools are told of a clone set. */
export interface HostSet {
  clones: readonly CloneInfo[];
  /** Who logs in (cloudInit.user of the set or its template). Default: whom the tool takes. */
  user?: string;
  /** By VMID: who logs in to clones that have a user of their own. */
  users?: ReadonlyMap<number, string>;
}

/** Groups that Ansible has in every inventory. */
const RESERVED = ["all", "ungrouped"];

/** Clones of a state that are named before the rest is counted. */
const NAMED = 10;

/** A name of letters, digits and underscores for each set, no two alike. */
function groupNames(keys: readonly string[]): Map<string, string> {
  const taken = new Set(RESERVED);
  return new Map(
    keys.map((key) => {
      let group = key.replaceAll("-", "_");
      while (taken.has(group)) group += "_";
      taken.add(group);
      return [key, group];
    }),
  );
}

function host({ vmId, node, address }: CloneInfo, user: string | undefined): Json {
  return {
    ...(address && { ansible_host: address }),
    ...(user && { ansible_user: user }),
    proxmox_vmid: vmId,
    proxmox_node: node,
  };
}

function group({ clones, user, users }: HostSet): Json {
  const running = clones.filter(({ status }) => status === "ready" || status === "running");
  return {
    hosts: Object.fromEntries(running.map((clone) => [clone.name, host(clone, users?.get(clone.vmId))])),
    ...(user && { vars: { ansible_user: user } }),
  };
}

/** A comment that says who is missing, so that nobody looks for it elsewhere. */
function leftOut(clones: readonly CloneInfo[], status: CloneInfo["status"]): string[] {
  const names = clones.filter((clone) => clone.status === status).map(({ name }) => name);
  if (names.length === 0) return [];
  const rest = names.length > NAMED ? ` and ${names.length - NAMED} more` : "";
  return [`# ${status}, left out: ${names.slice(0, NAMED).join(", ")}${rest}\n`];
}

/**
 * An inventory for Ansible, in YAML: a group per clone set, `-` in its key as `_`. It holds the clones that run, as a play
 * for `all` goes to every host that it finds; one whose address nobody knows is reached by its name. No two clones of a
 * fleet have one name: the config sees to that.
 */
export function ansibleInventory(sets: Readonly<Record<string, HostSet>>): string {
  const groups = groupNames(Object.keys(sets));
  const clones = Object.values(sets).flatMap((set) => set.clones);
  const children = Object.fromEntries(Object.entries(sets).map(([key, set]) => [groups.get(key) ?? key, group(set)]));
  return [...leftOut(clones, "failed"), ...leftOut(clones, "stopped"), toYaml({ all: { children } })].join("");
}
