import type { PveClient } from "../../proxmox/client.ts";

export interface ClusterNode {
  node: string;
  online: boolean;
  /** The node that the endpoint belongs to; undefined if the login may not see it. */
  isEndpoint?: boolean;
  /** `9.2.11`; undefined of a node that is off. */
  version?: string;
  /** Bytes; for logins with Sys.Audit on the node. */
  memory?: number;
  freeMemory?: number;
  /** Logical processors. */
  cpus?: number;
}

/** The nodes of the cluster, those that are online first, by name. */
export function listClusterNodes(_client: PveClient): Promise<ClusterNode[]> {
  throw new Error("not there yet");
}

/** DNS of a node (PVE: node > System > DNS), a good default for its guests. */
export interface NodeDns {
  servers: string[];
  searchDomain?: string;
}

/** Undefined if the login may not see it (Sys.Audit on the node). */
export function readNodeDns(_client: PveClient, _node: string): Promise<NodeDns | undefined> {
  throw new Error("not there yet");
}
