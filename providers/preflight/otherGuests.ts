import { ownerOf } from "../../fleet/ownership.ts";
import { ApiError, answerOf } from "../../proxmox/errors.ts";
import type { GuestConfig, GuestEntry } from "../../proxmox/guests.ts";
import type { Facts } from "./facts.ts";
import { allTemplatesOf, clonesOf, templatesOf } from "./needs.ts";
import { isTrusted } from "./trust.ts";

/** How many guests of others are read: the API gives configs one by one. */
export const LOOKED_AT = 100;

export interface Others {
  guests: { guest: GuestEntry; config: GuestConfig }[];
  /** How many there are beyond those. */
  left: number;
  /** Those that could not be looked at, in words: `3 guests on node pve3, which does not answer`. */
  unread: string[];
}

interface Look {
  guest: GuestEntry;
  config?: GuestConfig;
  /** Why it could not be looked at. */
  why?: string;
}

const SILENT = "which does not answer";

async function look(facts: Facts, guest: GuestEntry): Promise<Look> {
  try {
    const config = await facts.guestConfig(guest);
    if (config === "unreachable") return { guest, why: SILENT };
    // PVE copies our tag into a clone that somebody makes of a VM of ours; the mark in its notes names another VMID.
    const isOurs = config !== "absent" && ownerOf(config.description, guest.vmid, facts.fleetId) === "ours";
    return config === "absent" || isOurs ? { guest } : { guest, config };
  } catch (error) {
    // Somebody else's guest does not stop the run.
    if (error instanceof ApiError) return { guest, why: `where PVE says: ${answerOf(error)}` };
    throw error;
  }
}

/** `3 guests on node pve3, which does not answer` */
function unreadText(looks: readonly Look[]): string[] {
  const unread = looks.filter(({ why }) => why !== undefined);
  return [...Map.groupBy(unread, ({ guest, why }) => `on node ${guest.node}, ${why}`)].map(
    ([place, all]) => `${all.length === 1 ? "1 guest" : `${all.length} guests`} ${place}`,
  );
}

/** The configs of guests that are not ours, running ones first. Templates never run and are left out. */
export async function otherGuests(facts: Facts, wanted: (guest: GuestEntry) => boolean = () => true): Promise<Others> {
  const own = new Set([
    ...allTemplatesOf(facts.whole).map(({ template }) => template.vmId),
    ...clonesOf(facts.whole).map(({ clone }) => clone.vmId),
    // Ours that the config no longer has: this run deletes them.
    ...facts.knownVmIds,
  ]);
  const others = (await facts.guests())
    .filter(({ vmid, template }) => !own.has(vmid) && !template)
    .filter(wanted)
    .sort((a, b) => Number(b.status === "running") - Number(a.status === "running") || a.vmid - b.vmid);
  const offline = new Set((await facts.nodes()).flatMap(({ node, status }) => (status === "offline" ? [node] : [])));
  const asked = others.filter(({ node }) => !offline.has(node));
  const looks = await Promise.all(asked.slice(0, LOOKED_AT).map((guest) => look(facts, guest)));
  const silent = others.filter(({ node }) => offline.has(node)).map((guest) => ({ guest, why: SILENT }));
  return {
    guests: looks.flatMap(({ guest, config }) => (config ? [{ guest, config }] : [])),
    left: Math.max(0, asked.length - LOOKED_AT),
    unread: unreadText([...looks, ...silent]),
  };
}

/** Whether everything of the config exists and has the addresses and devices that an earlier run found to be free. */
export async function isSettled(facts: Facts): Promise<boolean> {
  if (!facts.claimsUnchanged) return false;
  const guests = new Map((await facts.guests()).map((guest) => [guest.vmid, guest]));
  return [
    ...templatesOf(facts.fleet).map(({ template }) => template.vmId),
    ...clonesOf(facts.fleet).map(({ clone }) => clone.vmId),
  ].every((vmId) => {
    const guest = guests.get(vmId);
    return guest !== undefined && isTrusted(guest, facts);
  });
}
