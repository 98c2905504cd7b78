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

/** What a run makes, changes or deletes: of the config that part that it is about, without the sets that are kept as they are. */
export function workOf(whole: Fleet, part: Part): Work {
  const { cluster, templates, cloneSets, leftOut } = whole;
  const idle = Object.entries(templates).flatMap(([key, { vmId }]) => (part.hasTemplate(key, vmId) ? [] : [key]));
  const changing = Object.fromEntries(Object.entries(cloneSets).filter(([, { keep }]) => !keep));
  return {
    cluster,
    templates,
    cloneSets: part.isWhole ? changing : clonesIn(changing, part, whole),
    leftOut: part.isWhole ? leftOut : clonesIn(leftOut, part, whole),
    ...(idle.length > 0 && { idle: new Set(idle) }),
  };
}
