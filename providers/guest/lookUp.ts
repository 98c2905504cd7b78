import { type Mark, ownerOf, parseMark } from "../../fleet/ownership.ts";
import type { PveClient } from "../../proxmox/client.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { whereIs } from "../../proxmox/whereIs.ts";

/** A VM, and whose it is by the mark in its notes. */
export interface FoundVm {
  kind: "vm";
  node: string;
  config: GuestConfig;
  owner: "ours" | "other-stack" | "foreign";
  /** What its notes say; of a foreign VM the mark may be that of another VM that it was copied from. */
  mark: Mark | undefined;
  /** PVE's `lock`: what works on it, or has died while it did. */
  busy: string | undefined;
}

export interface FoundContainer {
  kind: "container";
  node: string;
  name?: string | undefined;
}

/** What stands on a VMID, where, whose it is, and whether it is at rest. */
export type Look =
  | FoundVm
  | FoundContainer
  | { kind: "absent" }
  | { kind: "unreachable"; node: string; name?: string | undefined };

export interface Place {
  vmId: number;
  fleetId: string;
  /** Node where it was last. */
  node?: string | undefined;
}

/** Looks a VMID up in the whole cluster. Nothing is destroyed without such a look right before. */
export async function lookUp(client: PveClient, { vmId, fleetId, node }: Place): Promise<Look> {
  const found = await whereIs(client, vmId, node);
  if (found.kind !== "vm") return found;
  const { config } = found;
  const { description, lock } = config;
  return { ...found, owner: ownerOf(description, vmId, fleetId), mark: parseMark(description, vmId), busy: lock };
}

/** `template "noble" on node pve1` */
export function nameOf(found: Exclude<Look, { kind: "absent" }>): string {
  const name = (text: string | undefined) => `"${text ?? "without a name"}"`;
  if (found.kind === "container") return `container ${name(found.name)} on node ${found.node}`;
  if (found.kind === "unreachable") return `VM ${name(found.name)} on node ${found.node}, which does not answer`;
  const kind = Number(found.config.template ?? 0) === 1 ? "template" : "VM";
  return `${kind} ${name(found.config.name)} on node ${found.node}`;
}
