import type { PlacedTemplate } from "../../../../config/fleet.ts";
import { type Mark, ownerOf, parseMark } from "../../../../fleet/ownership.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import type { Facts } from "../../facts.ts";
import { type Finding, fail, note, warn } from "../../finding.ts";
import { hasTag, isTrusted } from "../../trust.ts";
import type { ContentOf } from "../resources/templateUsers.ts";

/** A VMID of the config. */
export interface ConfiguredVmId {
  vmId: number;
  path: string;
  /** What is to have it: `templates.noble`, `cloneSets.web`. */
  resource: string;
  /** The template, if it is one. */
  template?: PlacedTemplate;
  /** The clone, if it is one: its place in the config, and whether it may take over a VM that is not ours. */
  clone?: { path: string; adopt: boolean };
}

/** A finding that one line tells of many VMIDs: they move here from another set, have lost the fleet's tag, or cannot be read. */
export interface GroupedFinding {
  vmId: number;
  what: "moves" | "untagged" | "unreachable";
  /** Where it moves from; the node that does not answer. */
  from: string;
  resource: string;
}

/** Locks of VMs that PVE has not finished. It writes the notes, and so the mark, at the end; `up` looks again. */
const UNFINISHED: Record<string, string> = {
  create: "is being created",
  clone: "is being cloned, or was when the task died,",
};

function name({ type, template, name: own, node, status, vmid }: GuestEntry): string {
  const kind = type === "lxc" ? "container" : template ? "template" : "VM";
  const title = own === undefined ? `${kind} without a name yet` : `${kind} "${own}"`;
  return `VMID ${vmid} is taken by ${title} on node ${node}${template || !status ? "" : ` (${status})`}`;
}

/** The list is some seconds late; the config is not. */
const asItIs = (guest: GuestEntry, config: GuestConfig): GuestEntry => ({
  ...guest,
  ...(config.name !== undefined && { name: config.name }),
  ...(config.template !== undefined && { template: Number(config.template) }),
});

const FREE = "Choose a VMID that is free, or remove that VM if it is no longer needed.";

/** How the clone gets a VM that is not ours; a container or a template cannot become one. */
function adoption({ clone, vmId, resource }: ConfiguredVmId, { type, template }: GuestEntry): string[] {
  if (!clone || type !== "qemu" || template) return [];
  // A clone of a counted set has no place of its own in the config.
  const setting = clone.path === resource ? `${clone.path}.adopt: [${vmId}]` : `${clone.path}.adopt: true`;
  return [`If the VM is to become this clone, set ${setting}; it is managed, and deleted, from then on.`];
}

/** Whether a template of ours is the wanted one by another key, which has left the config. */
function isRenamed(facts: Facts, { template }: ConfiguredVmId, node: string, mark: Mark, hash: ContentOf): boolean {
  const [, old] = /^templates\.(.+)$/.exec(mark.resource) ?? [];
  if (!template || old === undefined || old in facts.whole.templates || template.node !== node) return false;
  return hash(template, facts) === mark.content;
}

function ours(
  facts: Facts,
  wanted: ConfiguredVmId,
  guest: GuestEntry,
  mark: Mark,
  hash: ContentOf,
): Finding[] | GroupedFinding {
  const { vmId, path, resource, clone } = wanted;
  const alike = { vmId, from: mark.resource, resource };
  if (mark.resource === resource) return hasTag(guest, facts) ? [] : { ...alike, what: "untagged" };
  if (clone && mark.resource.startsWith("cloneSets.")) return { ...alike, what: "moves" };
  if (isRenamed(facts, wanted, guest.node, mark, hash))
    return [note(`${mark.resource} is ${resource} now, its VM ${vmId} stays`, { path })];
  return [
    fail(`${name(guest)}, which this stack made as ${mark.resource}`, {
      path,
      todo: [
        "Choose a VMID that is free: what is new is made before what is old is deleted.",
        "The VMIDs of replicas follow the order of `nodes`: add nodes at the end, and take them away from the end.",
      ],
    }),
  ];
}

/** What a guest on a VMID of the config means. */
export async function vmIdTaken(
  facts: Facts,
  wanted: ConfiguredVmId,
  guest: GuestEntry,
  hash: ContentOf,
): Promise<Finding[] | GroupedFinding> {
  const { vmId, path, resource, clone } = wanted;
  if (guest.type === "lxc") return [fail(`${name(guest)}, which this stack did not make`, { path, todo: [FREE] })];
  const config = await facts.guestConfig(guest);
  if (config === "absent") return [];
  if (config === "unreachable")
    return isTrusted(guest, facts) ? [] : { vmId, what: "unreachable", from: guest.node, resource };
  const known = asItIs(guest, config);
  const unfinished = UNFINISHED[config.lock ?? ""];
  if (unfinished !== undefined) {
    const text = `VMID ${vmId} ${unfinished} on node ${guest.node} (lock: ${config.lock})`;
    return [warn(`${text}; up finds out whose it is`, { path })];
  }
  const owner = ownerOf(config.description, vmId, facts.fleetId);
  const mark = parseMark(config.description, vmId);
  if (owner === "ours" && mark) return ours(facts, wanted, known, mark, hash);
  if (clone?.adopt && !known.template) {
    const loser =
      owner === "other-stack"
        ? `; it belongs to stack ${mark?.stack} as ${mark?.resource}, which goes on managing it unless it is taken out of there`
        : "";
    const text = `${name(known)}, and is going to be taken over (adopt: true): from then on it is managed, and deleted, like the others`;
    return [warn(`${text}${loser}`, { path })];
  }
  if (mark === undefined && isTrusted(guest, facts)) {
    const text = `${name(known)}. It has this stack's tag but no mark in its notes, so it is likely ${resource}, and somebody has emptied the notes`;
    return [
      warn(text, {
        path,
        todo: [
          "If the state knows the VM, it stays, and pulumi up --refresh writes the mark again.",
          "If not, up leaves it alone and says so.",
          ...adoption(wanted, known),
        ],
      }),
    ];
  }
  if (owner === "other-stack")
    return [
      fail(`${name(known)}, which stack ${mark?.stack} made as ${mark?.resource}`, {
        path,
        todo: [
          "Choose a VMID that is free. If that stack's state is lost and the VM is not needed any more, remove it:",
          `on ${guest.node}: qm destroy ${vmId} --purge`,
          ...adoption(wanted, known),
        ],
      }),
    ];
  const todo = [FREE, ...adoption(wanted, known)];
  return [fail(`${name(known)}, which this stack did not make`, { path, todo })];
}
