import { ownerOf } from "../../fleet/ownership.ts";
import { fleetTag } from "../../fleet/tags.ts";
import type { GuestEntry } from "../../proxmox/guests.ts";
import type { Facts } from "./facts.ts";

/** Whether a guest carries this fleet's tag. People edit tags, and PVE copies those of a VM into its clones. */
export const hasTag = ({ tags = "" }: Pick<GuestEntry, "tags">, { fleetId }: Facts): boolean =>
  tags.split(/[;,\s]+/).includes(fleetTag(fleetId));

/** Whether a guest is known to be ours without asking it: it carries our tag, and its VMID was ours at the last run. */
export const isTrusted = (guest: GuestEntry, facts: Facts): boolean =>
  guest.type === "qemu" && facts.knownVmIds.has(guest.vmid) && hasTag(guest, facts);

/** Whether a guest is ours. One that may be is asked for its mark; if its node does not answer, it counts as not ours. */
export async function isOurs(guest: GuestEntry, facts: Facts): Promise<boolean> {
  if (isTrusted(guest, facts)) return true;
  if (guest.type !== "qemu" || !(facts.knownVmIds.has(guest.vmid) || hasTag(guest, facts))) return false;
  const config = await facts.guestConfig(guest);
  return typeof config === "object" && ownerOf(config.description, guest.vmid, facts.fleetId) === "ours";
}

/** Those of some guests that are ours. */
export async function oursAmong(guests: readonly GuestEntry[], facts: Facts): Promise<GuestEntry[]> {
  const ours = await Promise.all(guests.map((guest) => isOurs(guest, facts)));
  return guests.filter((_, index) => ours[index]);
}
