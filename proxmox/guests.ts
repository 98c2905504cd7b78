import { type Params, type PveClient, path } from "./client.ts";
import { ApiError, answerOf, TaskError } from "./errors.ts";

/** A VM's config as PVE gives it (`qm config`): drive, net and ipconfig values are strings. */
export type GuestConfig = Record<string, unknown> & {
  name?: string;
  description?: string;
  digest?: string;
  lock?: string;
  template?: number;
  tags?: string;
};

/** A VM or container anywhere in the cluster. The list lags about 10 s; `readConfig` is the truth. */
export interface GuestEntry {
  vmid: number;
  node: string;
  type: "qemu" | "lxc";
  name?: string;
  status?: string;
  template?: number;
  tags?: string;
  /** The pool that it is in; listed for who may see the pool. */
  pool?: string;
}

/** The VMs of one node as they are now, where the cluster's list lags. */
export function listNodeVms(
  client: PveClient,
  node: string,
): Promise<{ vmid: number; name?: string; status: PowerStatus }[]> {
  return client.get(path`/nodes/${node}/qemu`);
}

export type PowerStatus = "running" | "stopped";

export function listGuests(client: PveClient): Promise<GuestEntry[]> {
  return client.get("/cluster/resources", { type: "vm" });
}

const MISSING = /Configuration file '[^']*' does not exist|unable to find configuration file|no such vm/i;

/** PVE answers 500, not 404, for a VM that is not there, or takes the request and the task fails. */
export function isMissing(error: unknown): boolean {
  return (error instanceof ApiError || error instanceof TaskError) && MISSING.test(answerOf(error));
}

/** The node does not answer: it is down, or cut off from the node that was asked. PVE's proxy says 595 then. */
export const isUnreachable = (error: unknown): boolean => error instanceof ApiError && error.status === 595;

/** The node is not part of the cluster (any more). */
export const isUnknownNode = (error: unknown): boolean =>
  error instanceof ApiError && /hostname lookup|no such cluster node/i.test(error.answer);

/** The VM's config, or undefined if there is no such VM on the node. */
export async function readConfig(client: PveClient, node: string, vmId: number): Promise<GuestConfig | undefined> {
  try {
    return await client.get<GuestConfig>(path`/nodes/${node}/qemu/${vmId}/config`);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Sets options; PVE does it at once. */
export function writeConfig(client: PveClient, node: string, vmId: number, options: Params): Promise<null> {
  return client.put(path`/nodes/${node}/qemu/${vmId}/config`, options);
}

export interface CurrentStatus {
  status: PowerStatus;
  lock?: string;
  qmpstatus?: string;
  /** Uptime in seconds. */
  uptime?: number;
  /** What the HA manager is to do with the VM, if it is one of its resources. */
  ha?: { managed: 0 | 1; state?: string };
}

export function readStatus(client: PveClient, node: string, vmId: number): Promise<CurrentStatus> {
  return client.get(path`/nodes/${node}/qemu/${vmId}/status/current`);
}

/** Clones; gives the UPID of the task on the source's node. */
export function cloneGuest(client: PveClient, node: string, source: number, options: Params): Promise<string> {
  return client.post(path`/nodes/${node}/qemu/${source}/clone`, options);
}

/** Makes a VM; gives the UPID of the task. */
export function createVm(client: PveClient, node: string, options: Params): Promise<string> {
  return client.post(path`/nodes/${node}/qemu`, options);
}

/** Converts to a template; PVE 8 and newer give a task's UPID. */
export function convertToTemplate(client: PveClient, node: string, vmId: number): Promise<string | null> {
  return client.post(path`/nodes/${node}/qemu/${vmId}/template`);
}
