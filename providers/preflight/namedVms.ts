import type { GuestEntry } from "../../proxmox/guests.ts";
import { ranges } from "./ranges.ts";

/** Named before the rest is counted. */
const NAMED = 10;

/** `web-1 (VM 9101), web-2 (VM 9102)`; of many only the first by name. */
export function namedVms(vms: readonly GuestEntry[]): string {
  const names = vms.slice(0, NAMED).map(({ name, vmid }) => `${name ?? "without a name"} (VM ${vmid})`);
  const rest = vms.slice(NAMED).map(({ vmid }) => vmid);
  return [...names, ...(rest.length > 0 ? [`and ${rest.length} more (${ranges(rest)})`] : [])].join(", ");
}
