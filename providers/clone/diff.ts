import { isDeepStrictEqual } from "node:util";
import type { dynamic } from "@pulumi/pulumi";
import { guestChanges } from "../../fleet/cloudInit/guestChanges.ts";
import { keysHash } from "../../fleet/loginKeys.ts";
import { changedKeys } from "../dynamic/diff.ts";
import { causeOf } from "./cause.ts";
import { type CloneInputs, CONFIGURED, waits, waitsOtherwise } from "./inputs.ts";
import { diskNamesText, lostDisks, onTheirDrives } from "./ownDisks.ts";
import type { CloneState } from "./state.ts";

/** Changes of these are brought to a clone that exists. */
const UPDATING = [...CONFIGURED, "pool", "diskGiB", "disks"] as const satisfies (keyof CloneInputs)[];

/** These say how the clone is treated; `delete` reads them from the state, so a change has to get there. */
const TREATING = ["start", "shutdownSeconds", "firstBoot", "keepDisks"] as const satisfies (keyof CloneInputs)[];

const treatedOtherwise = ({ spec, made, givenKeys, oldKeys }: CloneState, news: CloneInputs): string[] => [
  ...changedKeys<CloneInputs>(spec, news, TREATING),
  ...((givenKeys ?? oldKeys) !== undefined && !news.rotateKeys ? ["rotateKeys"] : []),
  ...(waitsOtherwise(spec, news, made) ? ["waitFor"] : []),
];

/** The disks of the config, on the drives that the clone has them on. */
const placedDisks = ({ spec, made }: CloneState, news: CloneInputs): CloneInputs =>
  made && spec.disks && news.disks ? { ...news, disks: onTheirDrives(spec.disks, news.disks) } : news;

/** At preview, places may not be known yet. */
const nodesOf = (places: unknown): string[] =>
  Array.isArray(places) ? places.map(({ node }: { node: string }) => node).sort() : [];

/**
 * Whether the config has taken the clone's node away. A clone that was migrated behind Pulumi's back stays where it is:
 * people and PVE's HA move VMs for good reasons.
 */
export function movesAway({ spec, node }: CloneState, news: CloneInputs): boolean {
  const nodes = nodesOf(news.places);
  const isElsewhere = node !== undefined && nodes.length > 0 && !nodes.includes(node) && !news.staysOnNode;
  return isElsewhere && !isDeepStrictEqual(nodesOf(spec.places), nodes);
}

/** Whether the disks of a full clone are to be on another datastore than they are. */
export const movesDisks = ({ made }: CloneState, { full, datastore }: CloneInputs): boolean =>
  full && made !== undefined && datastore !== undefined && datastore !== made.datastore;

/** Why a clone has to be made anew. */
function replacedFor({ spec, made }: CloneState, news: CloneInputs): string[] {
  if (!made) return [];
  return [
    ...(spec.vmId === news.vmId ? [] : ["vmId"]),
    // PVE can copy a linked clone's disks to another datastore, but not make a linked clone of a full one.
    ...(made.full === news.full ? [] : ["full"]),
    ...(news.onTemplateChange === "replace" && made.template !== news.template ? ["template"] : []),
    ...(news.onTemplateChange === "replace" && made.firstBoot !== news.firstBoot ? ["firstBoot"] : []),
  ];
}

/** What happens to a clone that is in the state, beside or instead of a change of its options. */
export type Effect =
  | "made"
  | "finished"
  | "started"
  | "awaited"
  | "rebooted"
  | "pending"
  | "regrouped"
  | "migrated"
  | "relocated"
  | "losing"
  | "rekeyed"
  | "snapshotted"
  | "informed"
  | "kept";

export interface Reason {
  effect: Effect;
  /** From where to where, or why. */
  detail: string;
}

/** What a running guest gets at a start alone; of cores and memory, where PVE cannot change them while it runs. */
const NEEDS_START =
  /^(hostname|ipConfigs|nameservers|searchDomain|cores|memoryMiB|balloonMiB|affinity|numa|vga|hostpci\d+)$/;

/** The options that differ; those that PVE has a name for, by that. */
function changedNames(state: CloneState, news: CloneInputs): string[] {
  const { spec } = state;
  const [olds = {}, wanted = {}] = [spec.options, news.options];
  return changedKeys<CloneInputs>(spec, placedDisks(state, news), UPDATING).flatMap((key) =>
    key === "options" ? changedKeys(olds, wanted, Object.keys({ ...olds, ...wanted })) : [key],
  );
}

/** What is still to be done although the config has not changed. */
function unfinished(state: CloneState, news: CloneInputs): Reason[] {
  const { spec, status, error, made, pendingReboot = [], givenKeys } = state;
  const { rotateKeys } = news;
  const reason = (effect: Effect, detail: string): Reason[] => [{ effect, detail }];
  return [
    ...(status === "failed"
      ? reason(made ? "finished" : "made", `the last run failed: ${causeOf({ ...spec, error })}`)
      : []),
    ...(news.start && status === "stopped" ? reason("started", "") : []),
    ...(status === "running" && waits(news, made)
      ? reason("awaited", error?.split("\n", 1)[0] ?? "no reason is known")
      : []),
    ...(pendingReboot.length > 0
      ? reason(news.rebootOnChange ? "rebooted" : "pending", `old ${pendingReboot.join(", ")}`)
      : []),
    ...(made && rotateKeys && givenKeys !== keysHash(rotateKeys) ? reason("rekeyed", `user ${rotateKeys.user}`) : []),
  ];
}

/** What the engine does not show by itself: the values of the config that change, it does. */
function moves(state: CloneState, news: CloneInputs): Reason[] {
  const { spec, node, made, status, pendingReboot = [] } = state;
  const nodes = nodesOf(news.places);
  const changed = changedNames(state, news);
  const guest = made && guestChanges(changed, made);
  const lost = made && replacedFor(state, news).length === 0 ? lostDisks(spec.disks, news.disks) : [];
  const risks = news.snapshotDays === undefined ? [] : riskyChanges(state, news);
  const starting = changed.filter((key) => NEEDS_START.test(key));
  const runs = made && (status === "ready" || status === "running") && pendingReboot.length === 0;
  const reason = (effect: Effect, detail: string): Reason[] => [{ effect, detail }];
  return [
    ...(made && spec.set && spec.set !== news.set
      ? reason("regrouped", `from cloneSets.${spec.set} to cloneSets.${news.set}`)
      : []),
    ...(movesAway(state, news) ? reason("migrated", `from node ${node} to ${nodes.join(" or ")}`) : []),
    ...(guest && (!news.rebootOnChange || guest.newInstance)
      ? reason("informed", `${optionNames(guest.options)} ${guest.text}`)
      : []),
    ...(made && spec.firstBoot !== news.firstBoot && news.onTemplateChange !== "replace"
      ? reason("kept", "another cloudInit is for new clones; with onTemplateChange: replace for all")
      : []),
    ...(runs && news.rebootOnChange && starting.length > 0 ? reason("rebooted", optionNames(starting)) : []),
    ...(lost.length > 0 ? reason("losing", diskNamesText(lost)) : []),
    ...(risks.length > 0 ? reason("snapshotted", risks.join(", ")) : []),
    ...(movesDisks(state, news) ? reason("relocated", `from datastore ${made?.datastore} to ${news.datastore}`) : []),
  ];
}

/** Options as the config calls them, where that is not what they are called here. */
const OPTION_NAMES: Record<string, string> = {
  set: "ownership mark",
  firstBoot: "cloudInit",
  hostname: "host name",
  ipConfigs: "addresses",
  nameservers: "DNS",
  searchDomain: "DNS",
  balloonMiB: "memoryMiB",
  disks: "extraDisks",
};

const optionNames = (keys: readonly string[]): string =>
  [...new Set(keys.map((key) => OPTION_NAMES[key] ?? key))].join(", ");

/** Options that change what PVE notes of a VM, or how its node treats it: to the guest's data that is nothing. */
const HARMLESS = new Set([
  ...["set", "name", "description", "tags", "onBoot", "pool"],
  // They are changed before the snapshot, as PVE moves and deletes none that has any.
  "disks",
  ...["protection", "startup", "cpulimit", "cpuunits", "affinity"],
]);

/**
 * The changes by which a guest that exists may lose data, as the config calls them: another identity, other hardware, a larger
 * disk, a reboot. Migrations and moves of disks are not among them: PVE deletes what it has copied only when the copy is whole,
 * and it moves no disk that has snapshots.
 */
export function riskyChanges(state: CloneState, news: CloneInputs): string[] {
  if (!state.made) return [];
  const changed = changedNames(state, news).filter((name) => !HARMLESS.has(name));
  const reboots = news.rebootOnChange && (state.pendingReboot ?? []).length > 0;
  return [...(changed.length > 0 ? optionNames(changed).split(", ") : []), ...(reboots ? ["reboot"] : [])];
}

/** The options of a clone that are changed, in words; `treated` are those that nothing is done to its VM for. */
export function changedOptions(state: CloneState, news: CloneInputs): { changed: string; treated: string } {
  const { spec, made } = state;
  const keys = made ? changedNames(state, news) : [];
  // A clone that moves to another set is told as such.
  const told = keys.filter((key) => key !== "set" || !spec.set);
  return { changed: optionNames(told), treated: optionNames(treatedOtherwise(state, news)) };
}

export interface CloneDiff extends dynamic.DiffResult {
  changes: boolean;
  replaces: string[];
  /** What happens to the clone, and why, as far as changed values of the config do not say it. */
  reasons: Reason[];
}

/** What has to be done to a clone, told by state and config alone. */
export function diff(state: CloneState, news: CloneInputs): CloneDiff {
  if (news.keep) return { changes: false, replaces: [], deleteBeforeReplace: true, reasons: [] };
  const replaces = replacedFor(state, news);
  const updates = [
    ...changedKeys<CloneInputs>(state.spec, placedDisks(state, news), UPDATING),
    ...treatedOtherwise(state, news),
  ];
  const reasons = [...moves(state, news), ...unfinished(state, news)];
  return {
    changes: replaces.length + updates.length + reasons.length > 0,
    replaces,
    deleteBeforeReplace: true,
    reasons,
  };
}
