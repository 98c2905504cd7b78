import type { CloneConfig, CloneSetConfig } from "./cloneSet.ts";
import type { Cluster } from "./cluster.ts";
import type { Template } from "./template.ts";

/** A clone with the place in the config that it comes from: its own, or that of a counted set. */
export interface PlacedClone extends CloneConfig {
  path: string;
}

/** The key of a counted set that a field of its clones comes from. */
const COUNTED: Partial<Record<keyof CloneConfig, string>> = { name: "namePattern", vmId: "firstVmId", ip: "ipRange" };

/** The place in the config of a field of a clone, or of the template at `path`. */
export function placeOf(path: string, field: keyof CloneConfig): string {
  const counted = path.startsWith("cloneSets.") && !path.endsWith("]");
  return `${path}.${(counted && COUNTED[field]) || field}`;
}

/** A clone set as the program uses it: listed or counted, its clones are spelled out. */
export interface CloneSet
  extends Pick<CloneSetConfig, "template" | "mode" | "datastore" | "start" | "onBoot" | "tags"> {
  clones: PlacedClone[];
}

/** Everything that the stack config says. */
export interface Fleet {
  cluster: Cluster;
  templates: Record<string, Template>;
  /** Sets with `createClones: false` are not in here. */
  cloneSets: Record<string, CloneSet>;
}
