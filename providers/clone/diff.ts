import { isDeepStrictEqual } from "node:util";
import type { dynamic } from "@pulumi/pulumi";
import { guestChanges } from "../../fleet/cloudInit/guestChanges.ts";
import { changedKeys } from "../dynamic/diff.ts";
import { type CloneInputs, CONFIGURED, waits } from "./inputs.ts";
import type { CloneState } from "./state.ts";

/** Changes of these are brought to a clone that exists. */
const UPDATING = [...CONFIGURED, "pool", "diskGiB"] as const satisfies (keyof CloneInputs)[];

/** These say how the clone is treated; `delete` reads them from the state, so a change has to get there. */
const TREATING = ["start", "waitFor", "shutdownSeconds"] as const satisfies (keyof CloneInputs)[];

/** At preview, places may not be known yet. */
const nodesOf = (places: unknown): string[] =>
  Array.isArray(places) ? places.map(({ node }: { node: string }) => node).sort() : [];

/**
 * Whether the config has taken the clone's node away. A clone that was migrated behind Pulumi's back stays where it is:
 * people and PVE's HA move VMs for good reasons.
 */
export function movesAway({ spec, node }: CloneState, news: CloneInputs): boolean {
  const nodes = nodesOf(news.places);
  const isElsewhere = node !== undefined && nodes.length > 0 && !nodes.includes(node);
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
  ];
}

/** What is still to be done although the config has not changed, in words for a person. */
function unfinished(state: CloneState, news: CloneInputs): string[] {
  const { status, error, made, pendingReboot = [] } = state;
  const first = error?.split("\n", 1)[0];
  return [
    ...(status === "failed"
      ? [`the last run ${made ? "did not finish it" : "did not make it"} (${first}): it is tried again`]
      : []),
    ...(news.start && status === "stopped" ? ["it is stopped, and is started"] : []),
    ...(status === "running" && waits(news)
      ? [`it was not ready (${first ?? "no reason is known"}): it is looked at again`]
      : []),
    ...(pendingReboot.length > 0
      ? [
          news.rebootOnChange
            ? `it runs with its old ${pendingReboot.join(", ")}, and is rebooted`
            : `it runs with its old ${pendingReboot.join(", ")}: whether it has been rebooted is looked at`,
        ]
      : []),
  ];
}

/** What the engine does not show by itself: the values of the config that change, it does. */
function moves(state: CloneState, news: CloneInputs): string[] {
  const { spec, node, made } = state;
  const nodes = nodesOf(news.places);
  const guest = made && guestChanges(changedKeys<CloneInputs>(spec, news, UPDATING), made);
  return [
    ...(made && spec.set && spec.set !== news.set
      ? [`it moves from cloneSets.${spec.set} to cloneSets.${news.set}; its VM stays as it is, but for its mark`]
      : []),
    ...(movesAway(state, news) ? [`it is migrated from node ${node} to ${nodes.join(" or ")}`] : []),
    ...(guest ? [`${guest.options.join(", ")} reach the guest ${guest.text}`] : []),
    ...(movesDisks(state, news) ? [`its disks are moved from datastore ${made?.datastore} to ${news.datastore}`] : []),
  ];
}

export interface CloneDiff extends dynamic.DiffResult {
  changes: boolean;
  replaces: string[];
  /** What happens to the clone, and why, as far as changed values of the config do not say it. */
  reasons: string[];
}

/** What has to be done to a clone, told by state and config alone. */
export function diff(state: CloneState, news: CloneInputs): CloneDiff {
  if (news.keep) return { changes: false, replaces: [], deleteBeforeReplace: true, reasons: [] };
  const replaces = replacedFor(state, news);
  const updates = changedKeys<CloneInputs>(state.spec, news, [...UPDATING, ...TREATING]);
  const reasons = [...moves(state, news), ...unfinished(state, news)];
  return {
    changes: replaces.length + updates.length + reasons.length > 0,
    replaces,
    deleteBeforeReplace: true,
    reasons,
  };
}
