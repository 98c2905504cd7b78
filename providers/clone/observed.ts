import { isDeepStrictEqual } from "node:util";
import type { CloneDisk } from "../../fleet/cloneDisks.ts";
import { serialOf } from "../../fleet/cloudInit/smbios.ts";
import { parseSmbiosSerial } from "../../fleet/cloudInit/smbiosSerial.ts";
import { fleetTag } from "../../fleet/tags.ts";
import { datastoreOf, diskVolumes, sizeOf } from "../../proxmox/disks.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";
import { allTags, type NicChange } from "./inputs.ts";
import { hasDescription, hasMark, uuidOf } from "./mark.ts";
import { observedOwnDisk } from "./ownDisks.ts";
import type { CloneState, Made } from "./state.ts";

const words = (value: unknown): string[] =>
  String(value ?? "")
    .split(/[;,\s]+/)
    .filter(Boolean);

/** What a guest learns from its SMBIOS serial; undefined: it has none of ours. */
export const guestIdentity = (smbios: unknown): ReturnType<typeof parseSmbiosSerial> =>
  parseSmbiosSerial(smbios === undefined ? undefined : serialOf(String(smbios)));

/** As PVE has an interface, in the fields that the config speaks of. */
export function observedNic(value: unknown, nic: NicChange): NicChange {
  const fields = parseProperties(value);
  const [address] = fields.values();
  if (nic.added && value === undefined) return {};
  return {
    ...(nic.added && { added: true }),
    ...(nic.mac !== undefined && { mac: address ?? "" }),
    ...(nic.bridge !== undefined && { bridge: fields.get("bridge") ?? "" }),
    ...(nic.vlan !== undefined && { vlan: Number(fields.get("tag") ?? 0) }),
  };
}

/** An option as PVE has it; one that says the same in another order is as it should be. */
function observedOption(wanted: string, value: unknown): string {
  const have = String(value ?? "");
  const parts = (text: string) => text.split(/[,;]/).sort();
  return isDeepStrictEqual(parts(have), parts(wanted)) ? wanted : have;
}

/** PVE's `ipconfig0`, `ipconfig1`, … without empty ones at the end; at least `count` of them. */
export function observedIpConfigs(config: GuestConfig, count: number): string[] {
  const known = Object.keys(config).flatMap((key) => {
    const index = /^ipconfig(\d+)$/.exec(key)?.[1];
    return index === undefined ? [] : [Number(index)];
  });
  const length = Math.max(count, ...known.map((index) => index + 1));
  return Array.from({ length }, (_none, index) => String(config[`ipconfig${index}`] ?? ""));
}

/** Of a disk that somebody has grown further, nothing has to be done: it cannot shrink. */
function observedDisk({ diskGiB = 0, bootDisk = "" }: CloneState["spec"], config: GuestConfig): number {
  return Math.min(diskGiB, Math.floor((sizeOf(config[bootDisk]) ?? 0) / 2 ** 30));
}

/** Tags that are not as they should be; an empty one stands for the fleet's, so that its absence is a difference, too. */
const strangeTags = (tags: string[], fleet: string): string[] =>
  tags.includes(fleet) ? tags.filter((tag) => tag !== fleet) : ["", ...tags];

/**
 * The spec as PVE has it now, so that drift shows as a difference. What the config does not speak of is not looked at, and
 * what somebody added to the notes is no drift.
 *
 * @param pool the pool that the VM is in
 */
export function observed(spec: CloneState["spec"], config: GuestConfig, pool: string | undefined): CloneState["spec"] {
  const { searchDomain: _s, pool: _p, ...rest } = spec;
  const {
    hostname,
    fleetId,
    set,
    description,
    cores,
    memoryMiB,
    balloonMiB,
    diskGiB,
    disks,
    nics,
    ipConfigs,
    options,
  } = spec;
  const tags = words(config.tags).sort();
  const wanted = spec.tags ?? [];
  return {
    ...rest,
    ...(set !== undefined && { set: hasMark({ ...spec, set }, config.description) ? set : "" }),
    name: String(config.name ?? ""),
    ...(hostname !== undefined && { hostname: guestIdentity(config.smbios1)?.hostname ?? "" }),
    ipConfigs: observedIpConfigs(config, ipConfigs?.length ?? 0),
    nameservers: words(config.nameserver),
    ...(config.searchdomain !== undefined && { searchDomain: String(config.searchdomain) }),
    ...(description !== undefined && !hasDescription(config.description, description) && { description: "" }),
    tags: isDeepStrictEqual(tags, allTags({ tags: wanted, fleetId })) ? wanted : strangeTags(tags, fleetTag(fleetId)),
    ...(pool !== undefined && spec.pool !== undefined && { pool }),
    onBoot: Number(config.onboot ?? 0) === 1,
    ...(cores !== undefined && { cores: Number(config.cores ?? 1) }),
    ...(memoryMiB !== undefined && { memoryMiB: Number(config.memory ?? 512) }),
    ...(balloonMiB !== undefined && { balloonMiB: Number(config.balloon ?? config.memory ?? 512) }),
    ...(diskGiB !== undefined && { diskGiB: observedDisk(spec, config) }),
    ...(disks !== undefined && { disks: disks.map((disk) => observedOwnDisk(disk, config)) }),
    ...(options !== undefined && {
      options: Object.fromEntries(
        Object.entries(options).map(([key, wanted]) => [key, observedOption(wanted, config[key])]),
      ),
    }),
    ...(nics !== undefined && { nics: nics.map((nic, index) => observedNic(config[`net${index}`], nic)) }),
  };
}

/** Where the disks of a full clone are: on its datastore, or on the first other one that has any of them. */
function observedDatastore({ datastore }: Made, config: GuestConfig, own: readonly CloneDisk[]): string {
  const stores = Object.entries(diskVolumes(config))
    .filter(([drive]) => !own.some((disk) => disk.drive === drive))
    .map(([, volume]) => datastoreOf(volume))
    .filter(Boolean);
  return stores.find((store) => store !== datastore) ?? datastore;
}

/**
 * What a clone was made from, with what its VM tells of it: states of earlier versions have neither UUID nor instance-id.
 *
 * @param own its own disks, which have a datastore each
 */
export function observedMade(made: Made, config: GuestConfig, own: readonly CloneDisk[] = []): Made {
  const uuid = uuidOf(config.smbios1) ?? made.uuid;
  const instanceId = made.instanceId ?? guestIdentity(config.smbios1)?.instanceId;
  return {
    ...made,
    ...(made.full && { datastore: observedDatastore(made, config, own) }),
    ...(uuid !== undefined && { uuid }),
    ...(instanceId !== undefined && { instanceId }),
  };
}

/** The UUID of a VM that no run has configured yet: what makes or finds a clone may have failed or been killed after that. */
export const freshUuid = ({ spec }: Pick<CloneState, "spec">, { smbios1 }: GuestConfig): string | undefined =>
  spec.hostname === undefined && guestIdentity(smbios1) === undefined ? uuidOf(smbios1) : undefined;
