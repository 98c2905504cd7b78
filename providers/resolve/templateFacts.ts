import type { Gpu } from "../../config/devices.ts";
import type { TemplateFacts } from "../../config/existing.ts";
import { contentHash } from "../../fleet/contentHash.ts";
import { cloudInitVolume, datastoreOf, diskVolumes, sizeOf } from "../../proxmox/disks.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";

const GIB = 2 ** 30;
const DRIVE = /^(scsi|virtio|sata|ide|efidisk|tpmstate)\d+$/;
const DISK = /^(scsi|virtio|sata|ide)\d+$/;

/** The values of `<name>0`, `<name>1`, … of a VM, up to the last that it has; one that is missing in between is undefined. */
function numbered(config: GuestConfig, name: string): unknown[] {
  const values = Array.from({ length: 32 }, (_none, index) => config[`${name}${index}`]);
  return values.slice(0, values.findLastIndex((value) => value !== undefined) + 1);
}

const isThere = (value: unknown): boolean => value !== undefined;

/** Options of a template that PVE copies, and that no clone can want: it could not be deleted, or would have another's address. */
const uninherited = (config: GuestConfig): string[] =>
  ["protection", ...Object.keys(config).filter((key) => /^ipconfig\d+$/.test(key))].sort();

/** The drive that a VM boots from: the first disk of its boot order. */
function bootDisk(config: GuestConfig, drives: readonly string[]): string | undefined {
  const order = parseProperties(config.boot).get("order")?.split(";") ?? [String(config.bootdisk ?? "")];
  return order.find((device) => drives.includes(device)) ?? drives[0];
}

function gpuOf(value: unknown): Gpu {
  const fields = parseProperties(value);
  const [mapping, id, mdev] = [fields.get("mapping"), fields.get("host") ?? fields.get(""), fields.get("mdev")];
  return {
    ...(mapping === undefined ? { id: id ?? "" } : { mapping }),
    ...(mdev !== undefined && { mdev }),
    pcie: fields.get("pcie") === "1",
    primary: fields.get("x-vga") === "1",
    romBar: fields.get("rombar") !== "0",
  };
}

/**
 * What tells this template from another one of the same VMID: its UUID and the time of its making. Whoever makes it anew gives it
 * others. Its notes, which anybody may edit, do not count.
 */
function contentOf(config: GuestConfig): string {
  const uuid = parseProperties(config.smbios1).get("uuid");
  const made = parseProperties(config.meta).get("ctime");
  return contentHash(uuid === undefined && made === undefined ? { disks: diskVolumes(config) } : { uuid, made });
}

/** PVE keeps keys URL-encoded; whoever set them otherwise has none that can be read. */
function keysOf(value: unknown): string[] {
  try {
    return decodeURIComponent(String(value ?? ""))
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  } catch {
    return [];
  }
}

/** A template as Proxmox VE has it. */
export function templateFacts({ vmId, node }: { vmId: number; node: string }, config: GuestConfig): TemplateFacts {
  const volumes = diskVolumes(config);
  const isDisk = (drive: string) => DISK.test(drive) && datastoreOf(volumes[drive] ?? "") !== "";
  const drives = Object.keys(volumes).filter(isDisk).sort();
  const first = bootDisk(config, drives);
  const sorted = first === undefined ? [] : [first, ...drives.filter((drive) => drive !== first)];
  const [efi, tpm] = [volumes.efidisk0, volumes.tpmstate0];
  const [cloudInit] = Object.values(cloudInitVolume(config));
  const { agent, vga } = { agent: parseProperties(config.agent), vga: parseProperties(config.vga) };
  const keys = keysOf(config.sshkeys);
  const [nics, gpus] = [numbered(config, "net"), numbered(config, "hostpci")];
  const slots = { hostpci: gpus.length, usb: numbered(config, "usb").length };
  const missingNics = nics.flatMap((value, index) => (isThere(value) ? [] : [index]));
  const display = vga.get("") ?? vga.get("type");
  return {
    vmId,
    name: String(config.name ?? `VM ${vmId}`),
    node,
    content: contentOf(config),
    disks: sorted.map((drive) => ({
      drive,
      datastore: datastoreOf(volumes[drive] ?? ""),
      sizeGiB: Math.ceil((sizeOf(config[drive]) ?? 0) / GIB),
    })),
    datastores: {
      ...(efi !== undefined && { efi: datastoreOf(efi) }),
      ...(tpm !== undefined && { tpm: datastoreOf(tpm) }),
      ...(cloudInit !== undefined && { cloudInit: datastoreOf(cloudInit) }),
    },
    drives: Object.keys(config).filter((key) => DRIVE.test(key)),
    ...(config.cicustom !== undefined && { cicustom: String(config.cicustom) }),
    // PVE keeps an empty one as a blank.
    ...(String(config.ciuser ?? "").trim() !== "" && { user: String(config.ciuser).trim() }),
    ...(keys.length > 0 && { publicKeys: keys }),
    ...(config.cipassword !== undefined && { hasPassword: true as const }),
    uninherited: uninherited(config),
    nics: nics.map((value) => {
      if (!isThere(value)) return {};
      const fields = parseProperties(value);
      const tag = fields.get("tag");
      return { bridge: fields.get("bridge") ?? "", ...(tag !== undefined && { vlan: Number(tag) }) };
    }),
    ...(missingNics.length > 0 && { missingNics }),
    gpus: gpus.filter(isThere).map(gpuOf),
    ...(slots.hostpci + slots.usb > 0 && { slots }),
    cores: Number(config.cores ?? 1),
    sockets: Number(config.sockets ?? 1),
    numa: Number(config.numa ?? 0) === 1,
    memoryMiB: Number(config.memory ?? 512),
    ...(config.balloon !== undefined && { balloonMiB: Number(config.balloon) }),
    isQ35: String(config.machine ?? "").includes("q35"),
    hasAgent: (agent.get("") ?? agent.get("enabled")) === "1",
    osType: String(config.ostype ?? "other"),
    ...(display !== undefined && { vga: display }),
  };
}
