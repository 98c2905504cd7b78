import { originals } from "../../../../config/replicas.ts";
import { list } from "../../../../config/text.ts";
import { parseMark } from "../../../../fleet/ownership.ts";
import { fleetTag } from "../../../../fleet/tags.ts";
import { diskVolumes } from "../../../../proxmox/disks.ts";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { madeFrom } from "../../../clone/mark.ts";
import type { Facts } from "../../facts.ts";
import { type Finding, fail } from "../../finding.ts";
import { clonesOf, distinct, type SetClone } from "../../needs.ts";
import { isTrusted, tagsOf } from "../../trust.ts";
import { linkedVmIds } from "./linkedVolumes.ts";
import { alive, bySet, type ContentOf, markOf } from "./templateUsers.ts";

/** Why a template is not in the config any more, the place that says so, and how it gets back. */
function departure({ fleet }: Facts, guest: GuestEntry, resource: string): { why: string; path: string; back: string } {
  const now = Object.entries(fleet.templates).find(([key]) => `templates.${key}` === resource)?.[1];
  if (now) {
    const path = `${now.path}.vmId`;
    return { why: `the template has VMID ${now.vmId} now`, path, back: `Set ${path} back to ${guest.vmid}.` };
  }
  const whole = originals(fleet.templates).find(([key]) => `templates.${key}-${guest.node}` === resource)?.[1];
  if (whole) {
    const path = `${whole.path}.nodes`;
    return {
      why: `there is to be no replica on node ${guest.node}`,
      path,
      back: `Put ${guest.node} back into ${path} where it was.`,
    };
  }
  const back = `Put ${resource} back into the config as it was, with vmId ${guest.vmid}.`;
  return { why: "the template is no longer in the config", path: resource, back };
}

/**
 * A template of ours on a VMID that the config has no template on: it is deleted at the end of the run, when linked clones
 * of it must not be there any more.
 */
export async function left(facts: Facts, guest: GuestEntry, contentOf: ContentOf): Promise<Finding[]> {
  const { fleet } = facts;
  const found = await markOf(facts, guest);
  if (!found) return [];
  const guests = new Map((await facts.guests()).map((one) => [one.vmid, one]));
  const datastores = Object.values(diskVolumes(found.config)).map((volume) => volume.split(":")[0] ?? "");
  const linked = await linkedVmIds(facts, { node: guest.node, vmId: guest.vmid, datastores });
  const ofSameContent = ({ source }: SetClone) =>
    source !== undefined && contentOf(source.template, fleet.cluster) === found.mark.content;
  const staying = clonesOf(fleet).filter(
    (one) => one.set.mode === "linked" && (one.set.onTemplateChange === "ignore" || ofSameContent(one)),
  );
  // Not every datastore shows what is linked, but a clone's mark says what it was made from.
  const made = await Promise.all(
    staying.map(async ({ clone }) => {
      const vm = guests.get(clone.vmId);
      if (vm?.node !== guest.node || linked.includes(vm.vmid) || !isTrusted(vm, facts)) return [];
      const from = madeFrom(parseMark((await facts.guestConfig(vm))?.description, vm.vmid));
      return from && !from.full && from.template === found.mark.content ? [vm.vmid] : [];
    }),
  );
  const clones = new Map(staying.map((one) => [one.clone.vmId, one]));
  // Ours that the config does not have, or that are made anew, are gone when the template is deleted.
  const others = linked.filter((id) => {
    const vm = guests.get(id);
    return !clones.has(id) && !(vm && tagsOf(vm).includes(fleetTag(facts.fleetId)));
  });
  const own = [...linked, ...made.flat()].flatMap((id) => clones.get(id) ?? []);
  if (own.length + others.length === 0) return [];
  const { why, path, back } = departure(facts, guest, found.mark.resource);
  const movable = distinct(own, ({ key }) => key).filter((one) => !ofSameContent(one));
  const sets = movable.map(({ key }) => `cloneSets.${key}`);
  return [
    fail(
      `${why}, so VM ${guest.vmid} would be deleted at the end of the run, but linked clones of it would live on: ${alive(bySet(own), others, guests)}`,
      {
        path,
        todo: [
          back,
          ...(sets.length > 0
            ? [
                `Or set onTemplateChange: replace for ${list(sets)}: its clones move to the new template, maxUnavailable at a time.`,
              ]
            : []),
          ...(others.length > 0
            ? ["Or remove the VMs that this stack did not make, or give them disks of their own."]
            : []),
        ],
      },
    ),
  ];
}
