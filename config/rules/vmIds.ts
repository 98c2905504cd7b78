import { type Fleet, vmIdPlace } from "../fleet.ts";
import { oncePerPlace, type Problem } from "../problem.ts";

type VmIds = Pick<Fleet, "templates" | "existing" | "cloneSets">;

/** Every VMID and its place in the config. */
export function vmIdsOf({ templates, existing, cloneSets }: VmIds): { vmId: number; path: string }[] {
  return [
    ...Object.values(templates).map(({ vmId, path }) => ({ vmId, path: `${path}.vmId` })),
    ...Object.values(existing).map(({ vmId, path }) => ({ vmId, path: `${path}.existing` })),
    ...Object.values(cloneSets).flatMap(({ clones }) =>
      clones.map((clone) => ({ vmId: clone.vmId, path: vmIdPlace(clone) })),
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
export function uniqueVmIds(fleet: VmIds): Problem[] {
  const twice = repeated(vmIdsOf(fleet), ({ vmId }) => String(vmId)).map(({ item, first }) => ({
    path: item.path,
    message: `VMID ${item.vmId} is taken by ${first.path}; expected one that nothing else in the config has`,
  }));
  return oncePerPlace(twice);
}
