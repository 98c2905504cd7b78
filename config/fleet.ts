import type { CloneConfig, CloneSetConfig } from "./cloneSet.ts";
import type { Cluster } from "./cluster.ts";
import type { Template } from "./template.ts";

/** A template as the program uses it: on one node. With `nodes` there is one of it for each of them. */
export interface PlacedTemplate extends Template {
  /** `templates.<key>`, the place in the config that it comes from; replicas share it. */
  path: string;
  node: string;
  /** VM name; replicas have the same. */
  name: string;
  /** The config itself says `cloudInit.snippets`. */
  saysSnippets?: true;
  /** Key of the template that this is another one of. */
  replicaOf?: string;
}

/**
 * A clone as the program uses it: what it does not say itself is filled in from its set. Its own addresses are those of
 * the first network interface; `nics` has them from the second on.
 */
export interface PlacedClone extends CloneConfig {
  /** The place in the config that it comes from: its own, or that of a counted set. */
  path: string;
  description: string;
  /** Its place in its set, from 0, where the set is not given as a whole. */
  index?: number;
}

/** The key of a counted set that a field of its clones comes from. */
const COUNTED: Record<string, string> = {
  name: "namePattern",
  vmId: "firstVmId",
  ip: "ipRange",
  ip6: "ip6Range",
};

/** The place in the config of a field of a clone, of one of its interfaces, or of the template at `path`. */
export function placeOf(path: string, field: keyof CloneConfig): string {
  const counted = path.startsWith("cloneSets.") && !path.endsWith("]");
  return `${path}.${(counted && COUNTED[field]) || field}`;
}

/** A clone set as the program uses it. Of a counted set, too, every clone is in the list. */
export interface CloneSet extends Omit<CloneSetConfig, "createClones" | "nodes"> {
  /** `createClones: keep`: clones that exist are neither changed nor made anew, and no others are made. */
  keep?: true;
  /** Nodes that clones without a node of their own may run on: the set's, or else the template's. */
  nodes: string[];
  clones: PlacedClone[];
}

/** Everything that the stack config says. */
export interface Fleet {
  cluster: Cluster;
  /** By key; the replicas of a template but the first are called `<key>-<node>`. */
  templates: Record<string, PlacedTemplate>;
  cloneSets: Record<string, CloneSet>;
  /** Sets with `createClones: false`. They have no clones, so their VMIDs, names and addresses are free for others. */
  leftOut: Record<string, CloneSet>;
}
