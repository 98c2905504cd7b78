import { z } from "zod";
import type { Gpu } from "./devices.ts";
import type { ExistingTemplate } from "./fleet.ts";
import { nodeName, tag, vmId } from "./formats.ts";
import { templateSchema } from "./template.ts";

const existing = z
  .strictObject({
    vmId: vmId.optional().describe("its VMID"),
    name: z.string().min(1).optional().describe("its name; exactly one template must have it"),
    node: nodeName.optional().describe("the node that it is on; default: any"),
    tags: z
      .array(tag)
      .min(1)
      .optional()
      .describe("tags that it has, among others; exactly one template must have them"),
  })
  .describe("a template that this stack did not make; it is only read");

/** A template that was made elsewhere: by hand, by Packer, or by another stack. It is only cloned. */
export const existingSchema = z.strictObject({
  existing: existing.check(({ value, issues }) => {
    const { vmId, name, node, tags } = value;
    const isNamed = name !== undefined || tags !== undefined;
    if (vmId === undefined && !isNamed) {
      const message = "expected vmId, name or tags, by which the template is found";
      issues.push({ code: "custom", message, input: value });
    } else if (vmId !== undefined && (isNamed || node !== undefined)) {
      const message = "expected either vmId alone, or name, tags and node";
      issues.push({ code: "custom", path: ["vmId"], message, input: vmId });
    }
  }),
});

/** How a template that was made elsewhere is found. */
export type ExistingQuery = z.output<typeof existingSchema>["existing"];

/** Whether a template of the config is one that was made elsewhere. */
export const isExisting = (raw: unknown): boolean => typeof raw === "object" && raw !== null && "existing" in raw;

/** A template that was made elsewhere, as Proxmox VE has it. */
export interface TemplateFacts {
  vmId: number;
  name: string;
  node: string;
  /** Hash of what tells this template from another one of the same VMID. */
  content: string;
  /** By what it was found. */
  query?: ExistingQuery;
  /** Why it is not found any more; the rest is as it was found last. */
  missing?: string;
  /** Its disks, the one that it boots from first. */
  disks: { drive: string; datastore: string; sizeGiB: number }[];
  /** Datastores of its other volumes: EFI, TPM, cloud-init. */
  datastores: { efi?: string; tpm?: string; cloudInit?: string };
  /** All its drives, by name. */
  drives: string[];
  /** PVE's `cicustom` of it. */
  cicustom?: string;
  /** PVE's `ciuser` of it. */
  user?: string;
  /** PVE's `sshkeys` of it, a line each. */
  publicKeys?: string[];
  /** It has a password (PVE: `cipassword`), which PVE shows to nobody. */
  hasPassword?: true;
  /** Options of it that are nothing for its clones, by their name in PVE. */
  uninherited?: string[];
  /** By their number in PVE; one that is missing in between is empty. */
  nics: { bridge?: string; vlan?: number }[];
  /** Numbers of network interfaces that are missing in between. */
  missingNics?: number[];
  gpus: Gpu[];
  /** How many `hostpciN` and `usbN` of PVE are not all unused, counted from the first. */
  slots?: { hostpci: number; usb: number };
  cores: number;
  sockets: number;
  numa: boolean;
  memoryMiB: number;
  balloonMiB?: number;
  isQ35: boolean;
  hasAgent: boolean;
  osType: string;
  vga?: string;
}

const OS_TYPES = templateSchema.shape.osType.unwrap();
const VGA_TYPES = templateSchema.shape.vga.unwrap().shape.type.unwrap();

/** A found template in the terms of those that the config describes. What PVE does not tell has its default. */
export function existingTemplate(path: string, found: TemplateFacts): ExistingTemplate {
  const { vmId, name, node, content, disks, datastores, drives, cicustom, nics, gpus } = found;
  const { image: _none, ...defaults } = templateSchema.parse({ vmId, image: { url: "https://pve.invalid/none.img" } });
  const [disk, ...extraDisks] = disks.map(({ datastore, sizeGiB }) => ({ ...defaults.disk, datastore, sizeGiB }));
  const [nic] = defaults.nics;
  return {
    ...defaults,
    path,
    name,
    node,
    disk: disk ?? defaults.disk,
    extraDisks,
    nics: nic ? nics.map((own) => ({ ...nic, ...own })) : [],
    gpus,
    cpu: { ...defaults.cpu, cores: found.cores, sockets: found.sockets, numa: found.numa },
    memoryMiB: found.memoryMiB,
    ...(found.balloonMiB !== undefined && { balloonMiB: found.balloonMiB }),
    machine: found.isQ35 ? "q35" : "pc",
    agent: found.hasAgent,
    // PVE knows more of both; they are handled as the nearest that we have a word for.
    osType: OS_TYPES.safeParse(found.osType).data ?? (/^w/.test(found.osType) ? "win10" : "other"),
    vga: { type: VGA_TYPES.safeParse(found.vga).data },
    uefi: { ...defaults.uefi, enabled: datastores.efi !== undefined, datastore: datastores.efi },
    tpm: { ...defaults.tpm, enabled: datastores.tpm !== undefined, datastore: datastores.tpm },
    // With a user-data snippet of its own, PVE makes nothing of the fields of the VM.
    cloudInit: {
      ...defaults.cloudInit,
      snippets: /(^|,)user=/.test(cicustom ?? ""),
      ...(found.user !== undefined && { user: found.user }),
      ...(found.publicKeys && { sshPublicKeys: found.publicKeys }),
    },
    existing: {
      content,
      ...(found.missing !== undefined && { missing: found.missing }),
      drives,
      bootDisk: disks[0]?.drive ?? "",
      diskDrives: disks.map(({ drive }) => drive),
      ...(datastores.cloudInit !== undefined && { cloudInitDatastore: datastores.cloudInit }),
      ...(cicustom !== undefined && { cicustom }),
      ...(found.hasPassword && { hasPassword: true as const }),
      ...(found.missingNics !== undefined && { missingNics: found.missingNics }),
      ...(found.slots !== undefined && { slots: found.slots }),
      ...(found.uninherited !== undefined && { uninherited: found.uninherited }),
    },
  };
}
