import type { PveClient } from "../../proxmox/client.ts";

/** What the project needs of datastores (PVE: content types). */
export type ContentType = "import" | "snippets" | "images";

/** A datastore as a node has it. */
export interface NodeDatastore {
  storage: string;
  /** `dir`, `lvmthin`, `zfspool`, `nfs`, … */
  type: string;
  /** Content types that it takes now. */
  content: string[];
  /** Those of `import`, `snippets` and `images` that it does not take now, but could: `addContent` switches them on. */
  couldHave: ContentType[];
  shared: boolean;
  /** Nodes that have it; undefined: all. */
  nodes?: string[];
  /** Active on this node; what is not can be listed, but not used. */
  active: boolean;
  /** Bytes. */
  total?: number;
  free?: number;
  /** Linked clones work on it: copy-on-write of a base volume. */
  linkedClones: boolean;
}

/** The datastores of a node that the login may see, those with the most room first. */
export function listNodeDatastores(_client: PveClient, _node: string): Promise<NodeDatastore[]> {
  throw new Error("not there yet");
}

/** The datastores that take a content type, and those that could; the best proposal first in each. */
export interface Choice {
  have: NodeDatastore[];
  could: NodeDatastore[];
}

/** @throws SetupError `none` if no datastore of the list has the content type or could have it */
export function choiceFor(_datastores: readonly NodeDatastore[], _type: ContentType): Choice {
  throw new Error("not there yet");
}

/**
 * Switches a content type on, and leaves those that are on: reads the list first, and PVE refuses if somebody changed it meanwhile.
 *
 * @returns the content types afterwards
 * @throws SetupError `rights` if the login lacks Datastore.Allocate on it; `changed` if the datastore was changed meanwhile;
 * `refused` if this type of datastore cannot have it
 */
export function addContent(_client: PveClient, _storage: string, _type: ContentType): Promise<string[]> {
  throw new Error("not there yet");
}

/** The line that does the same on a node: `pvesm set local --content iso,import`. */
export function addContentLine(_datastore: Pick<NodeDatastore, "storage" | "content">, _type: ContentType): string {
  throw new Error("not there yet");
}
