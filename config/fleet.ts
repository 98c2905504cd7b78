import type { CloneConfig, CloneSetConfig } from "./cloneSet.ts";
import type { FirstBoot } from "./cloudInit.ts";
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

/** What clones are made from: a template of the config, or one that was made elsewhere. */
export interface CloneSource extends Omit<PlacedTemplate, "image"> {
  existing?: ExistingTemplate["existing"];
}

/** A template that was made elsewhere. Its clones are this stack's, it is not. */
export interface ExistingTemplate extends Omit<PlacedTemplate, "image"> {
  existing: {
    /** Hash of what tells this template from another one of the same VMID. */
    content: string;
    /** Why it is not found any more; the rest is as it was found last, and no clone has to be made of it. */
    missing?: string;
    /** The drive that it boots from, for example `scsi0`. */
    bootDisk: string;
    /** The drives of its disks, in the order of `disk` and `extraDisks`. */
    diskDrives: string[];
    /** All its drives. */
    drives: string[];
    /** Missing: it has no cloud-init drive, so cloud-init tells its clones nothing. */
    cloudInitDatastore?: string;
    /** PVE's `cicustom` of it, which its clones inherit. */
    cicustom?: string;
    /** It has a password (PVE: `cipassword`), which PVE shows to nobody. */
    hasPassword?: true;
    /**
     * Options of it that PVE copies and that are nothing for its clones, by their name in PVE: its protection, and the addresses
     * of its own interfaces.
     */
    uninherited?: string[];
    /** Numbers of network interfaces that are missing between others. */
    missingNics?: number[];
    /** How many `hostpciN` and `usbN` of PVE are not all unused, counted from the first. */
    slots?: { hostpci: number; usb: number };
  };
}

/** What a clone may have of its set. */
type Given = "vmId" | "ip" | "gateway" | "ip6" | "gateway6";

/**
 * A clone as the program uses it: what it does not say itself is filled in from its set. Its own addresses are those of
 * the first network interface; `nics` has them from the second on.
 */
export interface PlacedClone extends Omit<CloneConfig, "vmId" | "ip" | "cloudInit"> {
  /** The place in the config that it comes from: its own, or that of a counted set. */
  path: string;
  vmId: number;
  ip: string;
  /** The places in the config of what its set gives it, be it chosen from a range: `cloneSets.web.ips`. */
  from?: Partial<Record<Given, string>>;
  /** First-boot configurations over its template's: its set's, its own. */
  cloudInit?: readonly FirstBoot[];
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

/** The place in the config that a clone's VMID comes from. */
export const vmIdPlace = ({ path, from }: Pick<PlacedClone, "path" | "from">): string =>
  from?.vmId ?? placeOf(path, "vmId");

/** Something that gets addresses, with its place in the config. */
export interface Addressed {
  path: string;
  ip?: string | undefined;
  gateway?: string | undefined;
  ip6?: string | undefined;
  gateway6?: string | undefined;
  from?: PlacedClone["from"];
}

/** The place in the config that an address of a clone, or of one of its interfaces, comes from. */
export function addressPlace(
  { path, from }: Pick<Addressed, "path" | "from">,
  field: "ip" | "gateway" | "ip6" | "gateway6",
): string {
  return from?.[field] ?? placeOf(path, field);
}

/** A clone set as the program uses it. Of a counted set, too, every clone is in the list. */
export interface CloneSet
  extends Omit<CloneSetConfig, "createClones" | "nodes" | "vmIds" | "ips" | "ip6s" | "gateway" | "gateway6"> {
  /** `createClones: keep`: clones that exist are neither changed nor made anew, and no others are made. */
  keep?: true;
  /** Nodes that clones without a node of their own may run on: the set's, or else the template's. */
  nodes: string[];
  /** The config itself says `nodes`. */
  namesNodes?: true;
  clones: PlacedClone[];
}

type Nics = Pick<CloneSource, "nics" | "existing">;

/** Whether a template has the network interface of this number. */
export const hasNic = ({ nics, existing }: Nics, index: number): boolean =>
  index < nics.length && !existing?.missingNics?.includes(index);

/** Whether a clone gets a network interface of this number that its template does not have. */
export function addsNic(template: Nics, { nics }: Pick<PlacedClone, "nics">, index: number): boolean {
  const own = nics[index];
  if (!own || hasNic(template, index)) return false;
  // One that is missing between others is not added by an entry that is there to count up to the next.
  return index >= template.nics.length || (own.bridge ?? own.vlan ?? own.mac) !== undefined;
}

/** Everything that the stack config says. */
export interface Fleet {
  cluster: Cluster;
  /** By key; the replicas of a template but the first are called `<key>-<node>`. */
  templates: Record<string, PlacedTemplate>;
  /** Templates that were made elsewhere, by key. */
  existing: Record<string, ExistingTemplate>;
  cloneSets: Record<string, CloneSet>;
  /** Sets with `createClones: false`. They have no clones, so their VMIDs, names and addresses are free for others. */
  leftOut: Record<string, CloneSet>;
}

/** All that clones can be made from, by key. */
export const sourcesIn = ({
  templates,
  existing,
}: Pick<Fleet, "templates" | "existing">): Readonly<Record<string, CloneSource>> => ({ ...templates, ...existing });
