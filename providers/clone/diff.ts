import { isDeepStrictEqual } from "node:util";
import type { dynamic } from "@pulumi/pulumi";
import { changedKeys } from "../dynamic/diff.ts";
import { type CloneInputs, type CloneState, REPLACING, TREATING, UPDATING } from "./inputs.ts";

/** At preview, places may not be known yet. */
const nodesOf = (places: unknown): string[] =>
  Array.isArray(places) ? places.map(({ node }: { node: string }) => node).sort() : [];

/**
 * Whether the config has taken the clone's node away. A clone that was migrated behind Pulumi's back stays where it is:
 * people and PVE's HA move VMs for good reasons.
 */
export function movesAway(olds: CloneState, news: CloneInputs): boolean {
  const nodes = nodesOf(news.places);
  const isElsewhere = olds.node !== undefined && nodes.length > 0 && !nodes.includes(olds.node);
  return isElsewhere && !isDeepStrictEqual(nodesOf(olds.places), nodes);
}

/** Whether the guest has yet to become what `waitFor` asks for. */
export const waits = ({ start, waitFor }: CloneInputs): boolean =>
  start && (waitFor === "agent" || waitFor === "cloud-init");

/** What has to be done to a clone, told by state and config alone. */
export function diff(olds: CloneState, news: CloneInputs): dynamic.DiffResult {
  const exists = olds.template !== undefined;
  const keys = [
    ...REPLACING,
    // A linked clone is where its template's disks are.
    ...(news.full ? (["datastore"] as const) : []),
    ...(news.onTemplateChange === "replace" ? (["template"] as const) : []),
  ];
  const replaces = exists ? changedKeys<CloneInputs>(olds, news, keys) : [];
  const updates = changedKeys<CloneInputs>(olds, news, [...UPDATING, ...TREATING]);
  const isUnfinished =
    olds.status === "failed" ||
    (news.start && olds.status === "stopped") ||
    (news.rebootOnChange === true && (olds.pendingReboot ?? []).length > 0) ||
    // The rollout goes on when this one is ready.
    (news.onTemplateChange === "replace" && waits(news) && olds.status === "running");
  const changes = replaces.length > 0 || updates.length > 0 || isUnfinished || movesAway(olds, news);
  return { changes, replaces, deleteBeforeReplace: true };
}
