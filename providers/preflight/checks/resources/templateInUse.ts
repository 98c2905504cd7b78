import { templateContent } from "../../../../components/templateContent.ts";
import type { Cluster } from "../../../../config/cluster.ts";
import type { PlacedTemplate } from "../../../../config/fleet.ts";
import { list } from "../../../../config/text.ts";
import { ownerOf, parseMark } from "../../../../proxmox/ownership.ts";
import { fleetTag } from "../../../marks.ts";
import type { Facts } from "../../facts.ts";
import { type Check, each, type Finding, fail, orPass, warn } from "../../finding.ts";
import { clonesOf, type KeyedTemplate, templatesOf, volumesOf } from "../../needs.ts";
import { isTrusted, tagsOf } from "../../trust.ts";

/** Hash of what a template is made from. */
type ContentOf = (template: PlacedTemplate, cluster: Cluster) => string;

/** VMIDs of the disks that are linked to a template's, on datastores that show it in the volume id. */
async function linkedVmIds(facts: Facts, one: KeyedTemplate): Promise<number[]> {
  const { vmId } = one.template;
  const datastores = [...new Set(volumesOf(one, facts.fleet.cluster).map(({ datastore }) => datastore))];
  const base = new RegExp(`[:/]base-${vmId}-`);
  const volumes = await Promise.all(datastores.map((datastore) => facts.volumes(one.node, datastore)));
  return volumes.flat().flatMap((volume) => {
    const linked = base.test(volume.volid) || base.test(`/${volume.parent ?? ""}`);
    return linked && volume.vmid !== undefined && volume.vmid !== vmId ? [volume.vmid] : [];
  });
}

async function look(facts: Facts, one: KeyedTemplate, contentOf: ContentOf): Promise<Finding[]> {
  const { key, path, template } = one;
  const { vmId } = template;
  const guests = await facts.guests();
  const guest = guests.find(({ vmid }) => vmid === vmId);
  if (guest?.type !== "qemu" || !tagsOf(guest).includes(fleetTag(facts.fleetId))) return [];
  const config = await facts.guestConfig(guest);
  if (Number(config?.template ?? 0) !== 1 || ownerOf(config?.description, vmId, facts.fleetId) !== "ours") return [];
  if (parseMark(config?.description)?.content === contentOf(template, facts.fleet.cluster)) return [];

  const byVmId = new Map(guests.map((other) => [other.vmid, other]));
  const users = clonesOf(facts.fleet).filter(({ source }) => source?.key === key);
  const ours = users.filter(({ set, clone }) => {
    const found = byVmId.get(clone.vmId);
    return set.mode === "linked" && found !== undefined && isTrusted(found, facts);
  });
  const known = new Set(ours.map(({ clone }) => clone.vmId));
  const others = [...new Set(await linkedVmIds(facts, one))].filter((id) => !known.has(id)).sort((a, b) => a - b);
  const sets = [...new Set(ours.map((clone) => `cloneSets.${clone.key}`))];
  const concerned = [...new Set(users.map((clone) => `cloneSets.${clone.key}`))];
  if (ours.length + others.length === 0) {
    const clones =
      concerned.length > 0 ? ` It is the template of ${list(concerned)}; clones that exist stay as they are.` : "";
    return [warn(`the template has changed: VM ${vmId} is going to be replaced.${clones}`, { path })];
  }
  const alive = [
    ...sets.map((set) => `${ours.filter((clone) => `cloneSets.${clone.key}` === set).length} of ${set}`),
    ...others.slice(0, 10).map((id) => `VM ${id} "${byVmId.get(id)?.name ?? ""}"`),
    ...(others.length > 10 ? [`${others.length - 10} more VMs`] : []),
  ];
  return [
    fail(
      `the template has changed, so VM ${vmId} would have to be replaced, but linked clones of it are alive: ${list(alive)}`,
      {
        path,
        todo: [
          `Leave templates.${key} as it was, and put the change into a new template with a VMID of its own, for example templates.${key}-2;`,
          `then set the template of ${list(concerned.length > 0 ? concerned : ["a clone set"])} to it: new clones come from the new one.`,
          "Or remove the linked clones first (createClones: false, pulumi up), then change the template.",
        ],
      },
    ),
  ];
}

/** A template that has changed, and so would be replaced, has no linked clones. Asked last: it reads each template. */
export const templateInUseBy = (contentOf: ContentOf): Check => ({
  id: "template-in-use",
  group: "resources",
  async run(facts) {
    const templates = templatesOf(facts.fleet);
    if (templates.length === 0) return [];
    const problems = await each(templates, (one) => look(facts, one, contentOf));
    return orPass(problems, "no template with linked clones has changed");
  },
});

export const templateInUse = templateInUseBy(templateContent);
