import { originals } from "../../../../config/replicas.ts";
import { list } from "../../../../config/text.ts";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import type { Facts } from "../../facts.ts";
import { type Finding, fail } from "../../finding.ts";
import { distinct, type SetClone } from "../../needs.ts";
import { oursAmong } from "../../trust.ts";
import {
  type ContentOf,
  type FoundTemplate,
  foundTemplate,
  othersTodo,
  type Users,
  usersOf,
  usersText,
} from "./templateUsers.ts";

/** Why a template is not in the config any more, the place that says so, and how it gets back. */
function departure(
  { whole: fleet }: Facts,
  guest: GuestEntry,
  resource: string,
): { why: string; path: string; back: string } {
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
  const what = resource.startsWith("cloneSets.")
    ? "the clone, which somebody has converted to a template,"
    : "the template";
  return { why: `${what} is no longer in the config`, path: resource, back };
}

/** Whether the run is about a VM that the config does not have, and so deletes it. */
function isDeleted({ part }: Facts, { guest, mark }: FoundTemplate): boolean {
  const [, key = ""] = /^templates\.(.+)$/.exec(mark.resource) ?? [];
  return part.hasTemplate(key, guest.vmid) || part.hasLostClone(guest.vmid);
}

/**
 * A template of ours on a VMID that the config has no template on: it is deleted at the end of the run, when linked clones
 * of it must not be there any more.
 */
export async function left(facts: Facts, guest: GuestEntry, hash: ContentOf): Promise<Finding[]> {
  const found = await foundTemplate(facts, guest);
  if (!found || !isDeleted(facts, found)) return [];
  const { whole, part } = facts;
  const ofSameContent = ({ set, source }: SetClone) => {
    const [template, elsewhere] = [whole.templates[set.template], source?.template.existing?.content];
    return (elsewhere ?? (template && hash(template, facts))) === found.mark.content;
  };
  const guests = await facts.guests();
  const all = await usersOf(facts, found);
  // What the config does not have, or has made anew, is gone when the template is deleted.
  const others = guests.filter(({ vmid }) => all.others.includes(vmid));
  const gone = (await oursAmong(others, facts)).flatMap(({ vmid }) => (part.hasLostClone(vmid) ? [vmid] : []));
  const stays = ({ key, ...one }: SetClone) => {
    if (!part.hasClone(key, { vmId: one.clone.vmId, template: one.set.template }, whole.templates)) return true;
    return (
      key in whole.cloneSets &&
      one.set.mode === "linked" &&
      (one.set.onTemplateChange === "ignore" || ofSameContent({ key, ...one }))
    );
  };
  const users: Users = { clones: all.clones.filter(stays), others: all.others.filter((vmId) => !gone.includes(vmId)) };
  if (users.clones.length + users.others.length === 0) return [];
  const { why, path, back } = departure(facts, guest, found.mark.resource);
  const movable = distinct(users.clones, ({ key }) => key).filter((one) => !ofSameContent(one));
  const sets = list(movable.map(({ key }) => `cloneSets.${key}`));
  return [
    fail(
      `${why}, so VM ${guest.vmid} would be deleted at the end of the run, but linked clones of it would live on: ${usersText(users, guests)}`,
      {
        path,
        todo: [
          back,
          ...(movable.length > 0
            ? [
                `Or set onTemplateChange: replace for ${sets}: its clones move to the new template, maxUnavailable at a time.`,
              ]
            : []),
          ...othersTodo(users),
        ],
      },
    ),
  ];
}
