import { fleetTag } from "../marks.ts";
import type { CloneInfo } from "./cloneInfo.ts";

/** Where a clone can be, and what it is cloned from there. */
export interface Place {
  node: string;
  /** VMID of the template. */
  sourceVmId: number;
  /** Node of the template, if it is another one: then its disks are on shared storage. */
  sourceNode?: string;
}

/** What a clone's network interface has unlike the template's. */
export interface NicChange {
  bridge?: string;
  vlan?: number;
}

/** The state of a stack holds this twice for each clone, so whatever has a default is there only where it differs. */
export interface CloneInputs {
  /** `organization/project/stack` */
  stack: string;
  fleetId: string;
  /** Key of the clone set. */
  set: string;
  vmId: number;
  /** VM name. */
  name: string;
  /** Host name of the guest, with its domain if there is one. */
  hostname: string;
  /** Content hash of the template; in the state, of the one that the clone was made from, and missing until it is made. */
  template?: string;
  full: boolean;
  /** Datastore that the clone's disks are on; of a linked clone the template's. */
  datastore: string;
  /** Where it may be, the best place first. */
  places: Place[];
  /** How one of the places is chosen. Default: `spread`, which takes the first. */
  placement?: "spread" | "packed" | "memory";
  /** PVE's `ipconfig0`, `ipconfig1`, …; empty: none. */
  ipConfigs: string[];
  nameservers: string[];
  searchDomain?: string;
  /** Notes above the mark. Default: whatever is there. */
  description?: string;
  /** PVE tags without the fleet's. */
  tags: string[];
  pool?: string;
  onBoot: boolean;
  start: boolean;
  /** Cores a socket. Default: the template's, as for everything below. */
  cores?: number;
  memoryMiB?: number;
  /** Goes with `memoryMiB`. */
  balloonMiB?: number;
  /** Size of the boot disk in GiB. */
  diskGiB?: number;
  /** The boot disk's drive, for example `scsi0`; goes with `diskGiB`. */
  bootDisk?: string;
  /** By number of the interface. */
  nics?: NicChange[];
  /** Default: `started`. */
  waitFor?: "none" | "started" | "agent" | "cloud-init";
  /** How long `waitFor` may take, in seconds. Default: 300. */
  readyTimeoutSeconds?: number;
  /** How long a guest may take to shut down before it is stopped, in seconds; 0: it is stopped at once. Default: 60. */
  shutdownSeconds?: number;
  /** `replace`: a clone of another template than the set's is made anew. Default: `ignore`. */
  onTemplateChange?: "ignore" | "replace";
  /** How many clones of the set may be missing while they are made anew. Default: 1. */
  maxUnavailable?: number;
  /** Reboots a running guest for options that need it. Default: they wait. */
  rebootOnChange?: boolean;
  /** Take over a VM that is not ours. */
  adopt?: boolean;
}

export interface CloneState extends CloneInputs, Pick<CloneInfo, "status" | "addresses" | "pendingReboot" | "error"> {
  /** Where the clone is; missing until it is made. */
  node?: string;
  /** What the guest agent told as its primary address. */
  address?: string;
}

export const SHUTDOWN_SECONDS = 60;
export const READY_SECONDS = 300;

/** A clone that exists has to be made anew for these: PVE cannot change them. */
export const REPLACING = ["vmId", "full"] as const satisfies (keyof CloneInputs)[];

/** Changes of these are brought to a clone that exists. */
export const UPDATING = [
  "name",
  "hostname",
  "ipConfigs",
  "nics",
  "nameservers",
  "searchDomain",
  "description",
  "tags",
  "pool",
  "onBoot",
  "start",
  "cores",
  "memoryMiB",
  "balloonMiB",
  "diskGiB",
] as const satisfies (keyof CloneInputs)[];

/** These say how the clone is treated; `delete` reads them from the state, so a change has to get there. */
export const TREATING = ["waitFor", "shutdownSeconds"] as const satisfies (keyof CloneInputs)[];

/** All tags that PVE is to have, sorted as PVE sorts them. */
export const allTags = ({ tags, fleetId }: Pick<CloneInputs, "tags" | "fleetId">): string[] =>
  [...new Set([...tags, fleetTag(fleetId)])].sort();

/** URN under which the clone shows its progress. */
export function urnOf({ stack, set, vmId }: Pick<CloneInputs, "stack" | "set" | "vmId">): string {
  const [, project, name] = stack.split("/");
  const type = "golden-fleet:index:CloneSet$pulumi-nodejs:dynamic/golden-fleet:Clone";
  return `urn:pulumi:${name}::${project}::${type}::${set}-${vmId}`;
}
