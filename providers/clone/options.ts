import { isDeepStrictEqual } from "node:util";
import { smbiosSerial } from "../../fleet/cloudInit/hostname.ts";
import { withSerial } from "../../fleet/cloudInit/smbios.ts";
import type { Params } from "../../proxmox/client.ts";
import { sizeOf } from "../../proxmox/growDisk.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { fleetTag } from "../marks.ts";
import { allTags, type CloneInputs, type NicChange } from "./inputs.ts";
import { notesOf } from "./made.ts";

/** A value of PVE like `virtio=BC:24:11:00:00:01,bridge=vmbr0` by key. */
const fieldsOf = (value: unknown): Map<string, string> =>
  new Map(
    String(value ?? "")
      .split(",")
      .filter(Boolean)
      .map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]),
  );

/** PVE's `netN` on another bridge or VLAN (0: none); card, MAC address and everything else stay. */
function withNic(current: unknown, { bridge, vlan }: NicChange): string {
  const fields = fieldsOf(current);
  if (bridge !== undefined) fields.set("bridge", bridge);
  if (vlan === 0) fields.delete("tag");
  else if (vlan !== undefined) fields.set("tag", String(vlan));
  return [...fields].map(([key, value]) => `${key}=${value}`).join(",");
}

/** Whether the options of a new clone cannot be told without looking at it. */
export const needsConfig = ({ nics, diskGiB }: CloneInputs): boolean => nics !== undefined || diskGiB !== undefined;

/**
 * The options that this program sets on a clone; what is not in here stays as the template has it. The SMBIOS serial is
 * how NoCloud learns the host name (docs/decisions/0001).
 *
 * @param config the VM's config; of a new clone only `smbios1`, unless more is needed
 */
export function options(inputs: CloneInputs, config: GuestConfig): Params {
  const { name, hostname, nameservers, searchDomain, onBoot, cores, memoryMiB, balloonMiB } = inputs;
  const ips = inputs.ipConfigs.map((value, index) => [`ipconfig${index}`, value || undefined]);
  const extraIps = Object.keys(config).filter(
    (key) => /^ipconfig\d+$/.test(key) && Number(key.slice("ipconfig".length)) >= ips.length,
  );
  const nics = (inputs.nics ?? []).flatMap((nic, index) => {
    const key = `net${index}`;
    return Object.keys(nic).length > 0 && config[key] !== undefined ? [[key, withNic(config[key], nic)]] : [];
  });
  const values: Params = {
    name,
    description: notesOf(inputs, config.description),
    onboot: onBoot,
    tags: allTags(inputs).join(";"),
    smbios1: withSerial(String(config.smbios1 ?? ""), smbiosSerial(hostname)),
    // Unlike an empty value, one that the config does not have any more must be deleted.
    nameserver: nameservers.join(" ") || undefined,
    searchdomain: searchDomain || undefined,
    ...Object.fromEntries(ips),
    ...Object.fromEntries(nics),
  };
  const unset = [...Object.keys(values).filter((key) => values[key] === undefined), ...extraIps];
  return {
    ...values,
    ...(cores !== undefined && { cores }),
    ...(memoryMiB !== undefined && { memory: memoryMiB, balloon: balloonMiB }),
    ...(unset.length > 0 && { delete: unset.join(",") }),
  };
}

const words = (value: unknown): string[] =>
  String(value ?? "")
    .split(/[;,\s]+/)
    .filter(Boolean);

const hasSerial = (smbios: unknown, serial: string): boolean =>
  fieldsOf(smbios).get("serial") === Buffer.from(serial).toString("base64");

/** As PVE has an interface, in the fields that the config speaks of. */
export function observedNic(value: unknown, nic: NicChange): NicChange {
  const fields = fieldsOf(value);
  return {
    ...(nic.bridge !== undefined && { bridge: fields.get("bridge") ?? "" }),
    ...(nic.vlan !== undefined && { vlan: Number(fields.get("tag") ?? 0) }),
  };
}

/** Of a disk that somebody has grown further, nothing has to be done: it cannot shrink. */
function observedDisk(inputs: CloneInputs, config: GuestConfig): number {
  const { diskGiB = 0, bootDisk = "" } = inputs;
  return Math.min(diskGiB, Math.floor((sizeOf(config[bootDisk]) ?? 0) / 2 ** 30));
}

/** Tags that are not as they should be; an empty one stands for the fleet's, so that its absence is a difference, too. */
const strangeTags = (tags: string[], fleet: string): string[] =>
  tags.includes(fleet) ? tags.filter((tag) => tag !== fleet) : ["", ...tags];

/**
 * The inputs as PVE has them now, so that drift shows as a difference. What the config does not speak of is not looked at,
 * and what somebody added to the notes is no drift.
 */
export function observed(inputs: CloneInputs, config: GuestConfig): CloneInputs {
  const { searchDomain: _, ...rest } = inputs;
  const { hostname, fleetId, description, cores, memoryMiB, balloonMiB, diskGiB, nics, ipConfigs } = inputs;
  const tags = words(config.tags).sort();
  const known = Object.keys(config).flatMap((key) => {
    const index = /^ipconfig(\d+)$/.exec(key)?.[1];
    return index === undefined ? [] : [Number(index)];
  });
  const count = Math.max(ipConfigs.length, ...known.map((index) => index + 1));
  return {
    ...rest,
    name: String(config.name ?? ""),
    hostname: hasSerial(config.smbios1, smbiosSerial(hostname)) ? hostname : "",
    ipConfigs: Array.from({ length: count }, (_none, index) => String(config[`ipconfig${index}`] ?? "")),
    nameservers: words(config.nameserver),
    ...(config.searchdomain !== undefined && { searchDomain: String(config.searchdomain) }),
    ...(description !== undefined && !String(config.description ?? "").includes(description) && { description: "" }),
    tags: isDeepStrictEqual(tags, allTags(inputs)) ? inputs.tags : strangeTags(tags, fleetTag(fleetId)),
    onBoot: Number(config.onboot ?? 0) === 1,
    ...(cores !== undefined && { cores: Number(config.cores ?? 1) }),
    ...(memoryMiB !== undefined && { memoryMiB: Number(config.memory ?? 512) }),
    ...(balloonMiB !== undefined && { balloonMiB: Number(config.balloon ?? config.memory ?? 512) }),
    ...(diskGiB !== undefined && { diskGiB: observedDisk(inputs, config) }),
    ...(nics !== undefined && { nics: nics.map((nic, index) => observedNic(config[`net${index}`], nic)) }),
  };
}
