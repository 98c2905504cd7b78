import { type PveClient, path } from "../../proxmox/client.ts";
import { listNodes, type Version } from "../../proxmox/cluster.ts";
import { ApiError } from "../../proxmox/errors.ts";

export interface ClusterNode {
  node: string;
  online: boolean;
  /** The node that answers at the endpoint; undefined if the login may not see it. */
  isEndpoint?: boolean;
  /** `9.2.11`; undefined of a node that does not answer. */
  version?: string;
  /** Bytes; for logins with Sys.Audit on the node. */
  memory?: number;
  freeMemory?: number;
  /** Logical processors. */
  cpus?: number;
}

/** Undefined for what the login may not see, or a node that does not answer. */
export async function ifAllowed<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && (error.status === 403 || error.status === 595)) return undefined;
    throw error;
  }
}

/** The nodes of the cluster, those that are online first, by name. */
export async function listClusterNodes(client: PveClient): Promise<ClusterNode[]> {
  const [nodes, status] = await Promise.all([
    listNodes(client),
    ifAllowed(client.get<{ type: string; name: string; local?: number }[]>("/cluster/status")),
  ]);
  const all = await Promise.all(
    nodes.map(async ({ node, status: state, mem, maxmem, maxcpu }): Promise<ClusterNode> => {
      const online = state === "online";
      const version = online ? await ifAllowed(client.get<Version>(path`/nodes/${node}/version`)) : undefined;
      const entry = status?.find(({ type, name }) => type === "node" && name === node);
      return {
        node,
        online,
        ...(entry && { isEndpoint: entry.local === 1 }),
        ...(version && { version: version.version }),
        ...(maxmem !== undefined && { memory: maxmem, freeMemory: maxmem - (mem ?? 0) }),
        ...(maxcpu !== undefined && { cpus: maxcpu }),
      };
    }),
  );
  return all.sort((a, b) => Number(b.online) - Number(a.online) || a.node.localeCompare(b.node));
}

/** DNS of a node (PVE: node > System > DNS), a good default for its guests. */
export interface NodeDns {
  servers: string[];
  searchDomain?: string;
}

interface DnsAnswer {
  dns1?: string;
  dns2?: string;
  dns3?: string;
  search?: string;
}

/** Undefined if the login may not see it (Sys.Audit on the node). */
export async function readNodeDns(client: PveClient, node: string): Promise<NodeDns | undefined> {
  const answer = await ifAllowed(client.get<DnsAnswer>(path`/nodes/${node}/dns`));
  if (!answer) return undefined;
  const { dns1, dns2, dns3, search } = answer;
  // A resolver on the node itself is out of reach for its guests.
  const servers = [dns1, dns2, dns3].filter((one) => one && !/^(127\.|::1$)/.test(one)) as string[];
  const [searchDomain] = (search ?? "").split(/\s+/);
  return { servers, ...(searchDomain && searchDomain !== "." && { searchDomain }) };
}
