import { type PveClient, path } from "./client.ts";
import { ApiError } from "./errors.ts";

export interface Version {
  /** For example `9.2.11`. */
  version: string;
  release: string;
}

/** Asked once: a cluster that does not answer is told at once. */
export function readVersion(client: PveClient): Promise<Version> {
  return client.getOnce("/version");
}

export interface NodeEntry {
  node: string;
  status: "online" | "offline" | "unknown";
  /** Memory in use and in all, in bytes; of nodes that are online. */
  mem?: number;
  maxmem?: number;
  /** Logical processors. */
  maxcpu?: number;
}

export function listNodes(client: PveClient): Promise<NodeEntry[]> {
  return client.get("/nodes");
}

/** The cluster itself and its nodes; a node without a cluster has no entry of type `cluster`. */
export interface ClusterStatusEntry {
  type: "cluster" | "node";
  name: string;
  quorate?: number;
  nodes?: number;
  online?: number;
}

export function clusterStatus(client: PveClient): Promise<ClusterStatusEntry[]> {
  return client.get("/cluster/status");
}

/** Effective privileges of the login by ACL path; the value says whether they go on to the paths below. */
export type Permissions = Record<string, Record<string, number>>;

export function readPermissions(client: PveClient): Promise<Permissions> {
  return client.get("/access/permissions");
}

export interface RoleEntry {
  roleid: string;
  /** Comma-separated. */
  privs?: string;
}

export function listRoles(client: PveClient): Promise<RoleEntry[]> {
  return client.get("/access/roles");
}

/** A datastore as the cluster has it configured (PVE: storage.cfg). */
export interface DatastoreConfig {
  storage: string;
  type: string;
  content?: string;
  /** Folder of a datastore that has files. */
  path?: string;
  /** Nodes that have it, comma-separated; all without it. */
  nodes?: string;
  disable?: number;
  /** Thin provisioning of ZFS. */
  sparse?: number;
  /** Of all datastores' configs together: PVE refuses a change that names another one. */
  digest?: string;
  preallocation?: string;
  /** Folders that are not where PVE has them by default, for example `snippets=ci`. */
  "content-dirs"?: string;
}

export function listDatastoreConfigs(client: PveClient): Promise<DatastoreConfig[]> {
  return client.get("/storage");
}

export interface NetworkInterface {
  iface: string;
  type: string;
  active?: number;
  /** The administrator's. */
  comments?: string;
  bridge_vlan_aware?: number | string;
  /** Address with prefix. */
  cidr?: string;
  cidr6?: string;
  address?: string;
  gateway?: string;
  address6?: string;
  gateway6?: string;
}

/** The node's interfaces; bridges that the login may not use are left out by PVE. */
export function listInterfaces(client: PveClient, node: string, type?: "any_bridge"): Promise<NetworkInterface[]> {
  return client.get(path`/nodes/${node}/network`, { type });
}

export interface VnetEntry {
  vnet: string;
  zone?: string;
  alias?: string;
}

export function listVnets(client: PveClient): Promise<VnetEntry[]> {
  return client.get("/cluster/sdn/vnets");
}

/** Devices of nodes under one name for the whole cluster. */
export interface Mapping {
  id: string;
  /** Property strings, one a device: `node=pve1,path=0000:01:00.0,id=10de:2684`. */
  map: string[];
  description?: string;
  /** Of PCI devices: whether they are mediated ones. */
  mdev?: number;
  /** What PVE finds wrong with the mapping on the node asked for: of PCI devices `checks`, of USB devices `errors`. */
  checks?: { severity: string; message: string }[];
  errors?: { severity: string; message: string }[];
}

export type MappingKind = "pci" | "usb";

/** The mappings of a kind that the login may see, with PVE's checks for one node. */
export function listMappings(client: PveClient, node: string, kind: MappingKind): Promise<Mapping[]> {
  return client.get(`/cluster/mapping/${kind}`, { "check-node": node });
}

export interface PoolEntry {
  poolid: string;
}

export function listPools(client: PveClient): Promise<PoolEntry[]> {
  return client.get("/pools");
}

/** A VMID that nobody has; it is not reserved. */
export async function nextVmId(client: PveClient): Promise<number> {
  return Number(await client.get("/cluster/nextid"));
}

/** Whether a VMID is taken, be it by a guest that the login may not see. */
export async function isVmIdTaken(client: PveClient, vmId: number): Promise<boolean> {
  try {
    await client.get("/cluster/nextid", { vmid: vmId });
    return false;
  } catch (error) {
    if (error instanceof ApiError && error.status === 400) return true;
    throw error;
  }
}
