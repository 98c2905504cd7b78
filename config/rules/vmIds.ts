import { type Fleet, placeOf } from "../fleet.ts";
import { oncePerPlace, type Problem } from "../problem.ts";

/** Every VMID and its place in the config. */
export function vmIdsOf({
  templates,
  cloneSets,
}: Pick<Fleet, "templates" | "cloneSets">): { vmId: number; path: string }[] {
  return [
    ...Object.values(templates).map(({ vmId, path }) => ({ vmId, path: `${path}.vmId` })),
    ...Object.values(cloneSets).flatMap(({ clones }) =>
      clones.map(({ vmId, path }) => ({ vmId, path: placeOf(path, "vmId") })),
    ),
  ];
}

/** Each item whose value an earlier item has too, with that earlier one. */
export function repeated<T>(items: readonly T[], keyOf: (item: T) => string): { item: T; first: T }[] {
  const seen = new Map<string, T>();
  return items.flatMap((item) => {
    const value = keyOf(item);
    const first = seen.get(value);
    if (first === undefined) seen.set(value, item);
    return first === undefined ? [] : [{ item, first }];
  });
}

/** A VMID stands for one VM. */
export function uniqueVmIds(fleet: Pick<Fleet, "templates" | "cloneSets">): Problem[] {
  const twice = repeated(vmIdsOf(fleet), ({ vmId }) => String(vmId)).map(({ item, first }) => ({
    path: item.path,
    message: `VMID ${item.vmId} is taken by ${first.path}; expected one that nothing else in the config has`,
  }));
  return oncePerPlace(twice);
}
