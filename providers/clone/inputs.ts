import type { Account } from "../../fleet/cloneBoot.ts";
import type { CloneDisk } from "../../fleet/cloneDisks.ts";
import type { PveOptions } from "../../fleet/cloneOptions.ts";
import type { LoginKeys } from "../../fleet/loginKeys.ts";
import { fleetTag } from "../../fleet/tags.ts";

/** Where a clone can be, and what it is cloned from there. */
export interface Place {
  node: string;
  /** VMID of the template. */
  sourceVmId: number;
  /** Node of the template, if it is another one: then its disks are on shared storage. */
  sourceNode?: string;
  /** PVE's `cicustom` of clones that are made there, if it is not the template's. */
  cicustom?: string;
}

/** What a clone's network interface has unlike the template's. */
export interface NicChange {
  bridge?: string;
  /** 0: none. */
  vlan?: number;
  /** In upper case, as PVE writes it. */
  mac?: string;
  /** The template has no such interface. */
  added?: true;
}

/** What the config says of a clone. The state holds it twice for each, so whatever has a default is there only where it differs. */
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
  /** Content hash of the set's template. */
  template: string;
  full: boolean;
  /** The drives of its template's disks; with `keepDisks`. */
  templateDrives?: string[];
  /** Hash of a first boot that is not its template's. */
  firstBoot?: string;
  /** User, password and keys of its first boot, where they go by PVE's own fields. */
  account?: Account;
  /** PVE makes cloud-init's instance-id: the vendor-data is not ours, so the guest takes another address as a new instance alone. */
  pveInstanceId?: true;
  /** `pve`: the template has no snippets, and PVE makes the guest's user-data from the VM's own fields. */
  userData?: "pve";
  /** Datastore of the template's boot disk. A clone that is made goes there, unless `datastore` says otherwise. */
  templateDatastore: string;
  /** Datastore of a full clone's disks. Default: the template's when it is made, and then wherever they are. */
  datastore?: string;
  /** Where it may be, the best place first. */
  places: Place[];
  /** The places are the template's, which somebody else may move: a clone that is made stays where it is. */
  staysOnNode?: true;
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
  /** Disks of its own, beside the template's. A clone that has one of them elsewhere keeps it there. */
  disks?: CloneDisk[];
  /** Its own disks survive when it is made anew. */
  keepDisks?: true;
  /** By number of the interface. */
  nics?: NicChange[];
  /** More options of the VM, by their name in PVE; an empty text: the VM does not have that option. */
  options?: PveOptions;
  /** Options that PVE copies of the template and that are not for clones, by their name in PVE: one that is made loses them. */
  uninherited?: string[];
  /** Default: `started`, or with `addressByAgent` `agent`. */
  waitFor?: "none" | "started" | "agent" | "cloud-init";
  /** The config says nothing of `waitFor`, and only the agent, which the template installs, can tell the clone's address. */
  addressByAgent?: boolean;
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
  /** PVE takes a snapshot before changes by which the guest may lose data, and keeps it so long, in days. Default: none. */
  snapshotDays?: number;
  /** The keys that its login user is to have, whatever there were; default: those of its first boot, and what came since. */
  rotateKeys?: LoginKeys & {
    /** The template may be of before these keys: a clone that is made now does not get them by its first boot. */
    older?: true;
  };
  /** It stays as it is, whatever the config says. */
  keep?: true;
  /** Take over a VM that is not ours. */
  adopt?: boolean;
}

/** What becomes options of the VM (PVE: `qm set`). */
export const CONFIGURED = [
  "set",
  "name",
  "hostname",
  "ipConfigs",
  "nics",
  "nameservers",
  "searchDomain",
  "description",
  "tags",
  "onBoot",
  "cores",
  "memoryMiB",
  "balloonMiB",
  "options",
] as const satisfies (keyof CloneInputs)[];

export const SHUTDOWN_SECONDS = 60;
export const READY_SECONDS = 300;

/** All tags that PVE is to have, sorted as PVE sorts them. */
export const allTags = ({ tags, fleetId }: Pick<CloneInputs, "tags" | "fleetId">): string[] =>
  [...new Set([...tags, fleetTag(fleetId)])].sort();

type Waiting = Partial<Pick<CloneInputs, "waitFor" | "addressByAgent" | "template">>;

/** What a clone waits for. One that was made from another template than its set has now may have no agent. */
export const waitForOf = (
  { waitFor, addressByAgent, template }: Waiting,
  made?: { template: string },
): NonNullable<CloneInputs["waitFor"]> =>
  waitFor ?? (addressByAgent && (!made || made.template === template) ? "agent" : "started");

/** Whether the guest has yet to become what `waitFor` asks for. */
export const waits = (inputs: Pick<CloneInputs, "start"> & Waiting, made?: { template: string }): boolean =>
  inputs.start && ["agent", "cloud-init"].includes(waitForOf(inputs, made));

/** Whether the config has another wish than before. That one which says nothing of it would ask the agent today is none. */
export const waitsOtherwise = (before: Waiting, now: Waiting, made?: { template: string }): boolean =>
  waitForOf(before, made) !== waitForOf(now, made) && !(now.addressByAgent && before.waitFor === undefined);
