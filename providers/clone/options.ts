import { smbiosSerial } from "../../fleet/cloudInit/hostname.ts";
import { withSerial } from "../../fleet/cloudInit/smbios.ts";
import type { Params } from "../../proxmox/client.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { formatProperties, parseProperties } from "../../proxmox/propertyString.ts";
import { allTags, type CloneInputs, type NicChange } from "./inputs.ts";
import { markOf, notesOf } from "./mark.ts";
import type { Made } from "./state.ts";

/** PVE's `netN` on another bridge or VLAN (0: none); card, MAC address and everything else stay. */
function withNic(current: unknown, { bridge, vlan }: NicChange): string {
  const fields = parseProperties(current);
  if (bridge !== undefined) fields.set("bridge", bridge);
  if (vlan === 0) fields.delete("tag");
  else if (vlan !== undefined) fields.set("tag", String(vlan));
  return formatProperties(fields);
}

/** Whether the options of a new clone cannot be told without looking at it. */
export const needsConfig = ({ nics, diskGiB }: CloneInputs): boolean => nics !== undefined || diskGiB !== undefined;

/** What an option needs to know of the VM as it is. */
export interface Current {
  /** The VM's config; of a new clone only `smbios1`, unless more is needed. */
  config: GuestConfig;
  made: Pick<Made, "template" | "full">;
  /** The description that its notes hold, where it is known. */
  description?: string | undefined;
}

/**
 * The options that this program sets on a clone; what is not in here stays as the template has it. The SMBIOS serial is
 * how NoCloud learns the host name (docs/decisions/0001).
 */
export function options(inputs: CloneInputs, { config, made, description: had }: Current): Params {
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
    description: notesOf(inputs.description, markOf(inputs, made), { had, current: config.description }),
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
