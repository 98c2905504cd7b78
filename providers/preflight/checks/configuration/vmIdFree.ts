import { vmIdPlace } from "../../../../config/fleet.ts";
import { fleetTag } from "../../../../fleet/tags.ts";
import { privilegesOn } from "../../../../proxmox/permissions.ts";
import type { Facts } from "../../facts.ts";
import { type Check, type Finding, fail, note, orPass, warn } from "../../finding.ts";
import { clonesOf, templatesOf } from "../../needs.ts";
import { ranges } from "../../ranges.ts";
import { isTrusted } from "../../trust.ts";
import { type ContentOf, contentOf } from "../resources/templateUsers.ts";
import { type ConfiguredVmId, type GroupedFinding, vmIdTaken } from "./vmIdTaken.ts";

function wantedOf({ fleet }: Facts): ConfiguredVmId[] {
  return [
    ...templatesOf(fleet).map(({ key, path, template }): ConfiguredVmId => {
      return { vmId: template.vmId, path: `${path}.vmId`, resource: `templates.${key}`, template };
    }),
    ...clonesOf(fleet).map(({ key, clone }): ConfiguredVmId => {
      return { vmId: clone.vmId, path: vmIdPlace(clone), resource: `cloneSets.${key}`, clone };
    }),
  ];
}

/** By VMID: the clone set that had it at the last run. */
const setsBefore = ({ knownSets }: Facts): Map<number, string> =>
  new Map(Object.entries(knownSets).flatMap(([key, { vmIds }]) => vmIds.map((vmId) => [vmId, `cloneSets.${key}`])));

/** A guest that the login may not see is not in the list. */
async function hidden(facts: Facts, { vmId, path }: ConfiguredVmId): Promise<Finding[]> {
  const isSeen = privilegesOn(await facts.permissions(), `/vms/${vmId}`).has("VM.Audit");
  if (isSeen || !(await facts.isTaken(vmId))) return [];
  const text = `VMID ${vmId} is taken by a guest that this login may not see (no VM.Audit on it)`;
  return [fail(text, { path, todo: ["Choose a VMID that is free."] })];
}

/** One line for all VMIDs of which the same is to be said. */
function together(all: readonly GroupedFinding[], { fleetId }: Facts): Finding[] {
  const groups = Map.groupBy(all, ({ what, from, resource }) => `${what} ${from} ${resource}`);
  return [...groups.values()].map((group): Finding => {
    const { what, from, resource } = group[0] as GroupedFinding;
    const vmIds = ranges(group.map(({ vmId }) => vmId));
    const one = group.length === 1;
    if (what === "moves")
      return note(
        one
          ? `${vmIds} moves from ${from} to ${resource}, its VM stays`
          : `${vmIds} move from ${from} to ${resource}, their VMs stay`,
      );
    const place = { path: resource };
    if (what === "untagged") {
      const text = `${vmIds} ${one ? "has" : "have"} lost the tag ${fleetTag(fleetId)}; pulumi up --refresh puts it back`;
      return note(text, place);
    }
    const text = `not looked at: ${vmIds} on node ${from}, which does not answer; up looks again before it changes anything there`;
    return warn(text, place);
  });
}

/** Every VMID of the config is free in the whole cluster, its VM is ours, or the config says that it is to be taken over. */
export const vmIdFreeBy = (hash: ContentOf): Check => ({
  id: "vmid-free",
  group: "configuration",
  async run(facts) {
    const wanted = wantedOf(facts);
    if (wanted.length === 0) return [];
    const guests = new Map((await facts.guests()).map((guest) => [guest.vmid, guest]));
    const before = setsBefore(facts);
    const found = await Promise.all(
      wanted.map(async (one): Promise<Finding[] | GroupedFinding> => {
        const guest = guests.get(one.vmId);
        if (!guest) return hidden(facts, one);
        const moved = (before.get(one.vmId) ?? one.resource) !== one.resource;
        // Saves a request for each clone of a large fleet.
        if (isTrusted(guest, facts) && !one.template && !moved) return [];
        return vmIdTaken(facts, one, guest, hash);
      }),
    );
    const single = found.flatMap((one) => (Array.isArray(one) ? one : []));
    const alike = found.flatMap((one) => (Array.isArray(one) ? [] : [one]));
    return orPass([...single, ...together(alike, facts)], `${wanted.length} VMIDs are free or ours`);
  },
});

export const vmIdFree = vmIdFreeBy(contentOf);
