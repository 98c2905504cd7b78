import type { Fleet } from "../../config/fleet.ts";
import type { SetClone } from "./needs.ts";

/** What the clones' own disks need of datastores. */
export interface OwnDisk {
  datastore: string;
  /** The place in the config that says so. */
  path: string;
  sizeGiB: number;
}

/** The disks of a clone's own, each where it is to be. */
export function ownDisksOf(
  { clone, set, key }: Pick<SetClone, "clone" | "set" | "key">,
  { datastores }: Fleet["cluster"],
): OwnDisk[] {
  const { extraDisks = [], path } = clone;
  // A list that is the set's own is the very same for all of its clones.
  const at = extraDisks === set.extraDisks ? `cloneSets.${key}` : path;
  return extraDisks.map(({ datastore, sizeGiB }, index) => {
    if (datastore !== undefined) return { datastore, path: `${at}.extraDisks[${index}].datastore`, sizeGiB };
    if (set.mode === "full" && set.datastore !== undefined)
      return { datastore: set.datastore, path: `cloneSets.${key}.datastore`, sizeGiB };
    return { datastore: datastores.disks, path: "cluster.datastores.disks", sizeGiB };
  });
}
