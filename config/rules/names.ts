import { type Fleet, placeOf } from "../fleet.ts";
import { oncePerPlace, type Problem } from "../problem.ts";
import { didYouMean } from "../text.ts";
import { repeated } from "./vmIds.ts";

/** Clone names are host names: no two alike. */
export function uniqueNames({ cloneSets }: Pick<Fleet, "cloneSets">): Problem[] {
  const clones = Object.values(cloneSets).flatMap((set) => set.clones);
  const twice = repeated(clones, ({ name }) => name.toLowerCase()).map(({ item, first }) => ({
    path: placeOf(item.path, "name"),
    message: `"${item.name}" is taken by ${placeOf(first.path, "name")}; expected a name that no other clone has`,
  }));
  return oncePerPlace(twice);
}

/** A clone set's template is one of the config. */
export function knownTemplates(
  { templates, cloneSets }: Pick<Fleet, "templates" | "cloneSets">,
  allKeys: readonly string[],
): Problem[] {
  return Object.entries(cloneSets).flatMap(([key, set]) => {
    if (allKeys.includes(set.template)) {
      const plain = templates[set.template]?.makeTemplate === false && set.mode === "linked";
      return plain
        ? [
            {
              path: `cloneSets.${key}.mode`,
              message: `found "linked", but templates.${set.template} has makeTemplate: false; expected "full", or a template`,
            },
          ]
        : [];
    }
    const meant = didYouMean(set.template, allKeys);
    const right = meant
      ? `did you mean "${meant}"?`
      : `expected one of ${allKeys.join(", ") || "(no templates in the config)"}`;
    return [
      {
        path: `cloneSets.${key}.template`,
        message: `found "${set.template}", but there is no such template; ${right}`,
      },
    ];
  });
}
