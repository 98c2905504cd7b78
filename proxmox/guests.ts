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
}

/** The VMs of one node as they are now, where the cluster's list lags. */
export function listNodeVms(client: PveClient, node: string): Promise<{ vmid: number; status: PowerStatus }[]> {
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

/** The node is not part of the cluster (any more). */
const isUnknownNode = (error: unknown): boolean =>
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
}

export function readStatus(client: PveClient, node: string, vmId: number): Promise<CurrentStatus> {
  return client.get(path`/nodes/${node}/qemu/${vmId}/status/current`);
}

interface PendingOption {
  key: string;
  pending?: unknown;
  delete?: unknown;
}

/**
 * Options of a running VM that take effect at its next start by PVE: those that PVE has only noted, and those of
 * cloud-init, which are in the config at once, but on the guest's cloud-init drive only then.
 */
export async function pendingOptions(client: PveClient, node: string, vmId: number): Promise<string[]> {
  const options = await client.get<PendingOption[]>(path`/nodes/${node}/qemu/${vmId}/pending`);
  const cloudInit = await client.get<PendingOption[]>(path`/nodes/${node}/qemu/${vmId}/cloudinit`);
  const waiting = [...options, ...cloudInit].filter((one) => one.pending !== undefined || one.delete);
  return [...new Set(waiting.map(({ key }) => key))].sort();
}

/** Starts, shuts down or stops; gives the task's UPID. */
export function power(
  client: PveClient,
  node: string,
  vmId: number,
  action: "start" | "shutdown" | "stop" | "reboot",
  options: Params = {},
): Promise<string> {
  return client.post(path`/nodes/${node}/qemu/${vmId}/status/${action}`, options);
}

/**
 * Deletes the VM, its volumes, and its traces in backup jobs and replication; gives the task's UPID.
 *
 * @param unreferenced also the volumes of its VMID that its config does not name
 */
export function destroyGuest(client: PveClient, node: string, vmId: number, unreferenced = false): Promise<string> {
  return client.delete(path`/nodes/${node}/qemu/${vmId}`, {
    purge: true,
    "destroy-unreferenced-disks": unreferenced,
  });
}

/** Moves a VM to another node, running or not, with the disks that are on local storage; gives the task's UPID. */
export function migrateGuest(
  client: PveClient,
  node: string,
  vmId: number,
  target: string,
  online: boolean,
): Promise<string> {
  return client.post(path`/nodes/${node}/qemu/${vmId}/migrate`, { target, online, "with-local-disks": true });
}

/** Puts a VM into a pool, out of the one that it is in. */
export function moveToPool(client: PveClient, pool: string, vmId: number): Promise<null> {
  return client.put("/pools", { poolid: pool, vms: String(vmId), "allow-move": true });
}

/** Clones; gives the UPID of the task on the source's node. */
export function cloneGuest(client: PveClient, node: string, source: number, options: Params): Promise<string> {
  return client.post(path`/nodes/${node}/qemu/${source}/clone`, options);
}

/** Converts to a template; PVE 8 and newer give a task's UPID. */
export function convertToTemplate(client: PveClient, node: string, vmId: number): Promise<string | null> {
  return client.post(path`/nodes/${node}/qemu/${vmId}/template`);
}

const DRIVE = /^(scsi|virtio|sata|ide|efidisk|tpmstate)\d+$/;

/** The volumes of a config by drive, CD-ROMs and cloud-init drives left out. */
export function diskVolumes(config: GuestConfig): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) =>
      DRIVE.test(key) && typeof value === "string" && !value.includes("media=cdrom")
        ? [[key, value.split(",")[0] ?? ""]]
        : [],
    ),
  );
}

/**
 * Where a VM is now, with its config: on the node where it was last, or, if it has been migrated, on another one.
 * undefined if the cluster has no such VM.
 */
export async function locate(
  client: PveClient,
  node: string,
  vmId: number,
): Promise<{ node: string; config: GuestConfig } | undefined> {
  const config = await readConfig(client, node, vmId).catch((error) => {
    if (isUnknownNode(error)) return undefined;
    throw error;
  });
  if (config) return { node, config };
  const elsewhere = (await listGuests(client)).find(
    (guest) => guest.vmid === vmId && guest.type === "qemu" && guest.node !== node,
  );
  const moved = elsewhere && (await readConfig(client, elsewhere.node, vmId));
  return moved && { node: elsewhere.node, config: moved };
}
