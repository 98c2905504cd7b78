import type { Account } from "../../fleet/cloneBoot.ts";
import { networkRevision } from "../../fleet/cloudInit/networkRevision.ts";
import { withSerial } from "../../fleet/cloudInit/smbios.ts";
import { smbiosSerial } from "../../fleet/cloudInit/smbiosSerial.ts";
import type { Params } from "../../proxmox/client.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { formatProperties, parseProperties } from "../../proxmox/propertyString.ts";
import { allTags, type CloneInputs, type NicChange } from "./inputs.ts";
import { markOf, notesOf } from "./mark.ts";
import { guestIdentity } from "./observed.ts";
import type { Made } from "./state.ts";

/** PVE's `netN` with another bridge, VLAN (0: none) or MAC address; the card and everything else stay. */
function withNic(current: unknown, { bridge, vlan, mac }: NicChange): string {
  const [[model = "", address = ""] = [], ...others] = parseProperties(current);
  // The card comes first, with its address; one that has none yet stands alone.
  const card = model === "" ? address : model;
  const fields = new Map([mac === undefined ? [model, address] : [card, mac], ...others]);
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
  made: Pick<Made, "template" | "full" | "instanceId">;
  /** What was brought to the VM before, as far as it is known; of a new clone nothing. */
  spec: Partial<CloneInputs>;
  /** PVE's `cicustom` of a new clone, if it is not the template's. */
  cicustom?: string | undefined;
  /** Options that a new clone is not to have of its template. */
  uninherited?: readonly string[] | undefined;
  /** User, password and keys of a new clone, if they are not the template's. */
  account?: Account | undefined;
}

/**
 * The serial that tells the guest who it is. It names the network settings too, so that PVE lists them as pending when they
 * change; a clone of an earlier version, whose serial does not, gets that with its first change.
 */
function serial(inputs: CloneInputs, { config, made, spec }: Current): string {
  const current = guestIdentity(config.smbios1);
  const revision = networkRevision(inputs);
  const isNew = spec.ipConfigs === undefined;
  const changes = !isNew && networkRevision({ ...spec, ipConfigs: spec.ipConfigs ?? [] }) !== revision;
  const network = isNew || changes || current?.network !== undefined ? revision : undefined;
  return smbiosSerial(inputs.hostname, { instanceId: made.instanceId ?? current?.instanceId, network });
}

/**
 * The options that this program sets on a clone; what is not in here stays as the template has it. The SMBIOS serial is
 * how NoCloud learns the host name (docs/decisions/0001).
 */
export function options(inputs: CloneInputs, current: Current): Params {
  const { config, made, spec, cicustom, account, uninherited = [] } = current;
  const { name, nameservers, searchDomain, onBoot, cores, memoryMiB, balloonMiB } = inputs;
  const ips = inputs.ipConfigs.map((value, index) => [`ipconfig${index}`, value || undefined]);
  const extraIps = Object.keys(config).filter(
    (key) => /^ipconfig\d+$/.test(key) && Number(key.slice("ipconfig".length)) >= ips.length,
  );
  const nics = (inputs.nics ?? []).flatMap((nic, index) => {
    const key = `net${index}`;
    const nicNow = config[key] ?? (nic.added ? "virtio" : undefined);
    return Object.keys(nic).length > 0 && nicNow !== undefined ? [[key, withNic(nicNow, nic)]] : [];
  });
  const lostNics = (spec.nics ?? []).flatMap(({ added }, index) =>
    added && Object.keys(inputs.nics?.[index] ?? {}).length === 0 ? [`net${index}`] : [],
  );
  const more = Object.entries({ ...inputs.options }).map(([key, value]) => [key, value || undefined]);
  const values: Params = {
    name,
    description: notesOf(inputs.description, markOf(inputs, made), {
      had: spec.description,
      current: config.description,
    }),
    onboot: onBoot,
    tags: allTags(inputs).join(";"),
    smbios1: withSerial(String(config.smbios1 ?? ""), serial(inputs, current)),
    // Unlike an empty value, one that the config does not have any more must be deleted.
    nameserver: nameservers.join(" ") || undefined,
    searchdomain: searchDomain || undefined,
    ...Object.fromEntries(ips),
    ...Object.fromEntries(nics),
    ...Object.fromEntries(more),
  };
  const { sshkeys, ...others } = account ?? {};
  // PVE takes an empty value for no change.
  const takenAccount = { ...others, ...(sshkeys && { sshkeys }) };
  const lostKeys = sshkeys === "" ? ["sshkeys"] : [];
  const lost = [...Object.keys(values), ...uninherited].filter((key) => values[key] === undefined);
  const unset = [...new Set([...lostKeys, ...lost, ...extraIps, ...lostNics])];
  return {
    ...values,
    ...(cicustom !== undefined && { cicustom }),
    ...takenAccount,
    ...(cores !== undefined && { cores }),
    ...(memoryMiB !== undefined && { memory: memoryMiB, balloon: balloonMiB }),
    ...(unset.length > 0 && { delete: unset.join(",") }),
  };
}
