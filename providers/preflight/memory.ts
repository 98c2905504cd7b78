import { type Fleet, sourcesIn } from "../../config/fleet.ts";
import { replicasOf } from "../../config/replicas.ts";
import { vmIdsOf } from "../../config/rules/vmIds.ts";
import type { Part } from "../../fleet/part.ts";
import type { SetMemory } from "./facts.ts";
import { clonesOf, templatesOf, type Work } from "./needs.ts";

/** What a preflight that has found nothing wrong leaves for the next one. */
export interface Memory {
  /** VMIDs that were found to be free or ours. */
  vmIds: number[];
  /** The clone sets, by key. */
  sets: Record<string, SetMemory>;
}

const sorted = (vmIds: Iterable<number>): number[] => [...new Set(vmIds)].sort((a, b) => a - b);

/** The VMIDs of the config that the run is about. */
const vmIdsIn = (work: Work): number[] => [
  ...templatesOf(work).map(({ template }) => template.vmId),
  ...clonesOf(work).map(({ clone }) => clone.vmId),
];

function setsOf({ cloneSets, ...all }: Pick<Fleet, "templates" | "existing" | "cloneSets">): Record<string, SetMemory> {
  const sources = sourcesIn(all);
  return Object.fromEntries(
    Object.entries(cloneSets).map(([key, { template, clones }]) => {
      const replicas = Object.values(replicasOf(sources, template));
      const own = replicas.flatMap((replica) => sources[replica]?.vmId ?? []);
      return [key, { vmIds: clones.map(({ vmId }) => vmId), templates: own }];
    }),
  );
}

/** Sets as they were, with what a run has made of some of their clones. */
function mergedSets(before: Record<string, SetMemory>, now: Record<string, SetMemory>): Record<string, SetMemory> {
  const moved = new Set(Object.values(now).flatMap(({ vmIds }) => vmIds));
  const stayed = Object.entries(before).map(
    ([key, set]) => [key, { ...set, vmIds: set.vmIds.filter((vmId) => !moved.has(vmId)) }] as const,
  );
  const merged = new Map<string, SetMemory>(stayed);
  for (const [key, { vmIds, templates }] of Object.entries(now)) {
    const old = merged.get(key) ?? { vmIds: [], templates: [] };
    merged.set(key, { vmIds: sorted([...old.vmIds, ...vmIds]), templates: sorted([...old.templates, ...templates]) });
  }
  return Object.fromEntries([...merged].filter(([, { vmIds }]) => vmIds.length > 0));
}

/** What is remembered of the run. What it is not about stays as it was remembered, be it in the config or not. */
export function memoryOf(
  olds: Partial<Memory>,
  { whole, work, part }: { whole: Fleet; work: Work; part: Pick<Part, "isWhole"> },
): Memory {
  const checked = vmIdsIn(work);
  if (part.isWhole) {
    // Sets that are kept as they are have not been looked at.
    const known = new Set(olds.vmIds);
    const kept = vmIdsOf(whole).flatMap(({ vmId }) => (known.has(vmId) ? [vmId] : []));
    return { vmIds: sorted([...checked, ...kept]), sets: setsOf(whole) };
  }
  return { vmIds: sorted([...(olds.vmIds ?? []), ...checked]), sets: mergedSets(olds.sets ?? {}, setsOf(work)) };
}
