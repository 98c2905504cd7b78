import { fleetTag } from "../../fleet/tags.ts";
import type { GuestEntry } from "../../proxmox/guests.ts";
import type { Facts } from "./facts.ts";

/** The tags of a guest as the list has them. */
export const tagsOf = ({ tags = "" }: Pick<GuestEntry, "tags">): string[] => tags.split(/[;,\s]+/).filter(Boolean);

/** Whether a guest is known to be ours without asking it: it carries our tag, and its VMID was ours at the last run. */
export const isTrusted = (guest: GuestEntry, { fleetId, knownVmIds }: Facts): boolean =>
  guest.type === "qemu" && knownVmIds.has(guest.vmid) && tagsOf(guest).includes(fleetTag(fleetId));
