import { type PlacedTemplate, sourcesIn } from "../../../../config/fleet.ts";
import { replicasOf } from "../../../../config/replicas.ts";
import { list } from "../../../../config/text.ts";
import { type Mark, ownerOf, parseMark } from "../../../../fleet/ownership.ts";
import { templateContent } from "../../../../fleet/templateContent.ts";
import { baseOf, diskVolumes } from "../../../../proxmox/disks.ts";
import type { GuestConfig, GuestEntry } from "../../../../proxmox/guests.ts";
import { madeFrom } from "../../../clone/mark.ts";
import { datastoresOf, linkedName, linkedVmIds } from "../../../guest/linkedTo.ts";
import type { Facts } from "../../facts.ts";
import { NotAsked } from "../../finding.ts";
import { clonesOf, type SetClone } from "../../needs.ts";
import { hasTag, isOurs } from "../../trust.ts";

/** Hash of what a template is made from. */
export type ContentOf = (template: PlacedTemplate, facts: Facts) => string;

export const contentOf: ContentOf = (template, { fleet, templateNames }) =>
  templateContent(template, fleet.cluster, templateNames);

/** A template of ours as it is in the cluster; or a clone of ours that somebody has converted to one. */
export interface FoundTemplate {
  guest: GuestEntry;
  mark: Mark;
  config: GuestConfig;
}

/** The template of ours that a guest is; undefined if it is none. */
export async function foundTemplate(facts: Facts, guest: GuestEntry | undefined): Promise<FoundTemplate | undefined> {
  if (guest?.type !== "qemu" || !(hasTag(guest, facts) || facts.knownVmIds.has(guest.vmid))) return undefined;
  const config = await facts.guestConfig(guest);
  if (config === "unreachable")
    throw new NotAsked(`template ${guest.vmid} is on node ${guest.node}, which does not answer, see node-online`);
  if (config === "absent" || Number(config.template ?? 0) !== 1) return undefined;
  const mark = parseMark(config.description, guest.vmid);
  return mark && ownerOf(config.description, guest.vmid, facts.fleetId) === "ours"
    ? { guest, mark, config }
    : undefined;
}

/** VMIDs of the templates that a clone's set has, and had at the last run. */
function templatesOfSet({ whole, knownSets }: Facts, { set, clone }: SetClone): number[][] {
  const before = Object.values(knownSets).find(({ vmIds }) => vmIds.includes(clone.vmId))?.templates ?? [];
  const sources = sourcesIn(whole);
  const now = Object.values(replicasOf(sources, set.template)).flatMap((key) => sources[key]?.vmId ?? []);
  return [before, now];
}

/** The other templates of ours on a template's node that have the same content. */
async function sameContentAs(facts: Facts, { guest, mark }: FoundTemplate): Promise<number[]> {
  const others = (await facts.guests()).filter(
    ({ vmid, node, template }) => template && node === guest.node && vmid !== guest.vmid,
  );
  const found = await Promise.all(others.map((other) => foundTemplate(facts, other)));
  return found.flatMap((one) => (one?.mark.content === mark.content ? [one.guest.vmid] : []));
}

/**
 * Whether a clone is linked to a template, where the datastore does not show it.
 *
 * @param others templates of the same content: then the clone's set says which one it is of
 */
async function isLinked(
  facts: Facts,
  { guest, mark }: FoundTemplate,
  others: readonly number[],
  { vm, clone }: { vm: GuestEntry; clone: SetClone },
): Promise<boolean> {
  // A disk that has been moved to another node is no longer linked.
  if (vm.node !== guest.node) return false;
  const config = await facts.guestConfig(vm);
  if (typeof config === "string") return config === "unreachable";
  const bases = Object.values(diskVolumes(config)).flatMap((volume) => baseOf(volume) ?? []);
  if (bases.length > 0) return bases.includes(guest.vmid);
  const from = madeFrom(parseMark(config.description, vm.vmid));
  if (from?.full !== false || from.template !== mark.content) return false;
  if (others.length === 0) return true;
  for (const known of templatesOfSet(facts, clone)) {
    if (known.includes(guest.vmid)) return true;
    if (known.some((vmId) => others.includes(vmId))) return false;
  }
  return true;
}

export interface Users {
  /** Clones of the config, those with `createClones: false` too. */
  clones: SetClone[];
  /** VMIDs of the others. */
  others: number[];
}

/** The VMs whose disks are linked to a template's: by their disks, or on LVM-thin, which does not show it, by their marks. */
export async function usersOf(facts: Facts, template: FoundTemplate): Promise<Users> {
  const { guest, config } = template;
  const { whole } = facts;
  const datastores = datastoresOf(config);
  const volumes = await Promise.all(datastores.map((datastore) => facts.volumes(guest.node, datastore)));
  const linked = new Set(linkedVmIds(volumes.flat(), guest.vmid));
  const types = new Map((await facts.datastoreConfigs()).map(({ storage, type }) => [storage, type]));
  const isHidden = datastores.some((datastore) => (types.get(datastore) ?? "lvmthin") === "lvmthin");
  const others = isHidden ? await sameContentAs(facts, template) : [];
  const guests = new Map((await facts.guests()).map((one) => [one.vmid, one]));
  const all = [...clonesOf(whole), ...clonesOf({ ...whole, cloneSets: whole.leftOut })];
  const own = await Promise.all(
    all.map(async (clone) => {
      const vm = guests.get(clone.clone.vmId);
      if (!vm || !(linked.has(vm.vmid) || isHidden) || !(await isOurs(vm, facts))) return [];
      return linked.has(vm.vmid) || (await isLinked(facts, template, others, { vm, clone })) ? [clone] : [];
    }),
  );
  const clones = own.flat();
  for (const { clone } of clones) linked.delete(clone.vmId);
  return { clones, others: [...linked] };
}

/** The VMs in a few words, sets first. */
export function usersText({ clones, others }: Users, guests: readonly GuestEntry[]): string {
  const sets = Map.groupBy(clones, ({ key }) => `cloneSets.${key}`);
  const byId = new Map(guests.map((guest) => [guest.vmid, guest]));
  return list([
    ...[...sets].map(([set, all]) => `${all.length} of ${set}`),
    ...others.slice(0, 10).map((id) => linkedName(id, byId.get(id))),
    ...(others.length > 10 ? [`${others.length - 10} more VMs`] : []),
  ]);
}

/** What to do about VMs that are not ours. */
export const othersTodo = ({ others }: Users): string[] =>
  others.length === 0
    ? []
    : ["VMs that this stack did not make: remove them, or make full clones of them and remove the linked ones."];
