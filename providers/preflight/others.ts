import { fleetTag } from "../../fleet/tags.ts";
import type { GuestConfig, GuestEntry } from "../../proxmox/guests.ts";
import type { Facts } from "./facts.ts";
import { clonesOf, templatesOf } from "./needs.ts";
import { isTrusted, tagsOf } from "./trust.ts";

/** How many of the other guests are looked at; the API has no way to read many configs at once. */
export const LOOKED_AT = 100;

export interface Others {
  guests: { guest: GuestEntry; config: GuestConfig }[];
  /** How many there are beyond those. */
  left: number;
}

/** The configs of guests that are not ours, running ones first. Templates never run and are left out. */
export async function otherGuests(facts: Facts, wanted: (guest: GuestEntry) => boolean = () => true): Promise<Others> {
  const own = new Set([
    ...templatesOf(facts.fleet).map(({ template }) => template.vmId),
    ...clonesOf(facts.fleet).map(({ clone }) => clone.vmId),
  ]);
  const others = (await facts.guests())
    .filter(({ vmid, template }) => !own.has(vmid) && !template)
    // Ours that the config no longer has: this run deletes them.
    .filter((guest) => !tagsOf(guest).includes(fleetTag(facts.fleetId)))
    .filter(wanted)
    .sort((a, b) => Number(b.status === "running") - Number(a.status === "running") || a.vmid - b.vmid);
  const guests = await Promise.all(
    others.slice(0, LOOKED_AT).map(async (guest) => ({ guest, config: await facts.guestConfig(guest) })),
  );
  return {
    guests: guests.flatMap(({ guest, config }) => (config ? [{ guest, config }] : [])),
    left: Math.max(0, others.length - LOOKED_AT),
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
