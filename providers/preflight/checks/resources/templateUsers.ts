import type { Cluster } from "../../../../config/cluster.ts";
import type { PlacedTemplate } from "../../../../config/fleet.ts";
import { list } from "../../../../config/text.ts";
import { type Mark, ownerOf, parseMark } from "../../../../fleet/ownership.ts";
import { fleetTag } from "../../../../fleet/tags.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import type { Facts } from "../../facts.ts";
import type { SetClone } from "../../needs.ts";
import { tagsOf } from "../../trust.ts";

/** Hash of what a template is made from. */
export type ContentOf = (template: PlacedTemplate, cluster: Cluster) => string;

/** The VMs in a few words, sets first. */
export function alive(
  sets: ReadonlyMap<string, number>,
  others: readonly number[],
  guests: ReadonlyMap<number, GuestEntry>,
) {
  return list([
    ...[...sets].map(([set, count]) => `${count} of ${set}`),
    ...others.slice(0, 10).map((id) => `VM ${id} "${guests.get(id)?.name ?? ""}"`),
    ...(others.length > 10 ? [`${others.length - 10} more VMs`] : []),
  ]);
}

/** How many clones each set has among these. */
export const bySet = (clones: readonly SetClone[]) =>
  new Map([...Map.groupBy(clones, ({ key }) => `cloneSets.${key}`)].map(([set, all]) => [set, all.length]));

/** The mark of a template that is ours; undefined if the guest is none. */
export async function markOf(
  facts: Facts,
  guest: GuestEntry | undefined,
): Promise<{ mark: Mark; config: GuestConfig } | undefined> {
  if (guest?.type !== "qemu" || !tagsOf(guest).includes(fleetTag(facts.fleetId))) return undefined;
  const config = await facts.guestConfig(guest);
  if (Number(config?.template ?? 0) !== 1 || ownerOf(config?.description, guest.vmid, facts.fleetId) !== "ours")
    return undefined;
  const mark = parseMark(config?.description, guest.vmid);
  return mark && config ? { mark, config } : undefined;
}
