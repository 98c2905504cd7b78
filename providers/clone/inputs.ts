import { isDeepStrictEqual } from "node:util";
import { smbiosSerial } from "../../components/cloudInit/hostname.ts";
import { withSerial } from "../../components/cloudInit/smbios.ts";
import type { Params } from "../../proxmox/client.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";

export interface CloneInputs {
  statusUrn: string;
  node: string;
  sourceVmId: number;
  vmId: number;
  /** VM name. */
  name: string;
  /** Host name of the guest, with its domain if there is one. */
  hostname: string;
  full: boolean;
  /** Datastore that the clone's disks are on; of a linked clone the template's. */
  datastore: string;
  /** PVE's `ipconfig0`. */
  ipConfig: string;
  nameservers: string[];
  searchDomain?: string;
  /** PVE's `description`, with the mark. */
  notes: string;
  tags: string[];
  onBoot: boolean;
  start: boolean;
}

export interface CloneState extends CloneInputs {
  running: boolean;
}

/** The inputs that are brought to an existing VM; any other change makes a new one, or concerns new ones alone. */
export const UPDATING = [
  "name",
  "hostname",
  "ipConfig",
  "nameservers",
  "searchDomain",
  "notes",
  "tags",
  "onBoot",
  "start",
] as const satisfies (keyof CloneInputs)[];

/**
 * The options that this program sets on a clone; what is not in here stays as the template has it. The SMBIOS serial is
 * how NoCloud learns the host name (docs/decisions/0001).
 *
 * @param smbios the VM's `smbios1`, with its UUID
 */
export function options(inputs: CloneInputs, smbios: string): Params {
  const { name, hostname, notes, ipConfig, nameservers, searchDomain, tags, onBoot } = inputs;
  const values = {
    name,
    description: notes,
    ipconfig0: ipConfig,
    onboot: onBoot,
    tags: tags.join(";"),
    smbios1: withSerial(smbios, smbiosSerial(hostname)),
    // Unlike an empty value, one that the config does not have any more must be deleted.
    nameserver: nameservers.join(" ") || undefined,
    searchdomain: searchDomain || undefined,
  };
  const unset = Object.entries(values).flatMap(([key, value]) => (value === undefined ? [key] : []));
  return { ...values, ...(unset.length > 0 && { delete: unset.join(",") }) };
}

const words = (value: unknown): string[] =>
  String(value ?? "")
    .split(/[;,\s]+/)
    .filter(Boolean);

const hasSerial = (smbios: unknown, serial: string): boolean =>
  words(smbios).includes(`serial=${Buffer.from(serial).toString("base64")}`);

/** The inputs as PVE has them now, so that drift shows as a difference. Notes that somebody added to ours are no drift. */
export function observed(inputs: CloneInputs, node: string, config: GuestConfig): CloneInputs {
  const { searchDomain: _, ...rest } = inputs;
  const tags = words(config.tags).sort();
  return {
    ...rest,
    node,
    name: String(config.name ?? ""),
    hostname: hasSerial(config.smbios1, smbiosSerial(inputs.hostname)) ? inputs.hostname : "",
    ipConfig: String(config.ipconfig0 ?? ""),
    nameservers: words(config.nameserver),
    ...(config.searchdomain !== undefined && { searchDomain: String(config.searchdomain) }),
    // PVE sorts them.
    tags: isDeepStrictEqual(tags, [...inputs.tags].sort()) ? inputs.tags : tags,
    onBoot: Number(config.onboot ?? 0) === 1,
  };
}
