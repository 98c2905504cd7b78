import type { CloneSet, Fleet } from "../../config/fleet.ts";
import type { Part } from "../../fleet/part.ts";
import type { Work } from "./needs.ts";

/** The clones of some sets that the run is about, each with its place in its set. */
function clonesIn(cloneSets: Fleet["cloneSets"], part: Part, { templates }: Fleet): Record<string, CloneSet> {
  return Object.fromEntries(
    Object.entries(cloneSets).flatMap(([key, set]) => {
      const all = set.clones.map((clone, index) => ({ ...clone, index }));
      const clones = all.filter(({ vmId }) => part.hasClone(key, { vmId, template: set.template }, templates));
      const isLeftOut = clones.length === 0 && all.length > 0;
      return isLeftOut ? [] : [[key, { ...set, clones }] as const];
    }),
  );
}

/**
 * What a run makes, changes or deletes: of the config that part that it is about, without the sets that are kept as they are.
 * Preflight alone is there to look at everything.
 */
export function workOf(whole: Fleet, part: Part): Work {
  const { cluster, templates, existing, cloneSets, leftOut } = whole;
  const changing = Object.fromEntries(Object.entries(cloneSets).filter(([, { keep }]) => !keep));
  const everything = { cluster, templates, existing, cloneSets: changing, leftOut };
  if (part.isWhole) return everything;
  const idle = Object.keys(templates).filter((key) => !part.hasTemplate(key, templates[key]?.vmId ?? 0));
  const own = { cloneSets: clonesIn(changing, part, whole), leftOut: clonesIn(leftOut, part, whole) };
  const sets = Object.values({ ...own.cloneSets, ...own.leftOut });
  const isOfNothing = idle.length === Object.keys(templates).length && sets.every(({ clones }) => clones.length === 0);
  if (isOfNothing && part.hasPreflight && part.namesNothingElse) return everything;
  return { cluster, templates, existing, ...own, ...(idle.length > 0 && { idle: new Set(idle) }) };
}
