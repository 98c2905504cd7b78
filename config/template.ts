import { z } from "zod";
import { cloudInit } from "./cloudInit.ts";
import { gpu } from "./devices.ts";
import { bridge, cores, diskGiB, fileUrl, hostName, memoryMiB, nodeNames, notes, vlan } from "./fields.ts";
import { datastoreId, macAddress, nodeName, poolId, tag, vmId } from "./formats.ts";

const HEX_LENGTH = { md5: 32, sha1: 40, sha224: 56, sha256: 64, sha384: 96, sha512: 128 } as const;
export type ChecksumAlgorithm = keyof typeof HEX_LENGTH;

const algorithms = Object.keys(HEX_LENGTH).join(", ");

/** `algorithm:hex`, or hex alone where its length tells the algorithm. */
export function parseChecksum(text: string): { algorithm: ChecksumAlgorithm; value: string } | undefined {
  const [, prefix, value = ""] = /^(?:([a-z0-9]+):)?([0-9a-f]+)$/.exec(text.trim().toLowerCase()) ?? [];
  const algorithm = (Object.keys(HEX_LENGTH) as ChecksumAlgorithm[]).find((name) =>
    prefix === undefined ? HEX_LENGTH[name] === value.length : name === prefix,
  );
  return algorithm && HEX_LENGTH[algorithm] === value.length ? { algorithm, value } : undefined;
}

const checksum = z.string().refine((text) => parseChecksum(text) !== undefined, {
  error: `expected algorithm:hex, for example "sha256:" and 64 hex digits (algorithms: ${algorithms})`,
});

const image = z
  .strictObject({
    url: fileUrl.describe("where the node downloads the cloud image from"),
    checksum: checksum.optional().describe('"sha256:…" of the downloaded file (PVE: checksum, checksum-algorithm)'),
    checksumUrl: fileUrl.optional().describe("list that holds the file's checksum, as SHA256SUMS or BSD style"),
    fileName: z
      .string()
      .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,120}$/, { error: "expected a file name without folders" })
      .optional()
      .describe("base of the file's name on the datastore; default: the URL's last part"),
    format: z
      .enum(["qcow2", "raw", "vmdk"])
      .optional()
      .describe("format of the disk image; default: by the name, .img is qcow2"),
    decompress: z
      .string()
      .optional()
      .describe("refused: PVE cannot import compressed images, see docs/decisions/0002-compressed-images.md"),
    keepImage: z.boolean().default(true).describe("false: destroy removes the cached file"),
  })
  .refine((value) => !(value.checksum && value.checksumUrl), {
    path: ["checksumUrl"],
    error: "expected either checksum or checksumUrl, not both",
  })
  .describe("the cloud image that the template is made from");

const diskOptions = {
  sizeGiB: diskGiB.default(20).describe("size in GiB; the imported image grows to it, it never shrinks"),
  bus: z.enum(["scsi", "virtio", "sata"]).default("scsi").describe("bus of the disk"),
  datastore: datastoreId.optional().describe("datastore; default: cluster.datastores.disks"),
  discard: z.boolean().default(true).describe("pass TRIM to the storage (PVE: discard=on)"),
  ssd: z.boolean().optional().describe("show the disk as SSD; default: true where the bus can (not virtio) (PVE: ssd)"),
  iothread: z
    .boolean()
    .optional()
    .describe("own I/O thread; default: true where the bus can (not sata) (PVE: iothread)"),
  cache: z
    .enum(["none", "directsync", "writethrough", "writeback", "unsafe"])
    .default("none")
    .describe("cache mode (PVE: cache)"),
  aio: z.enum(["io_uring", "native", "threads"]).default("io_uring").describe("asynchronous I/O (PVE: aio)"),
  backup: z.boolean().default(true).describe("include in backups (PVE: backup)"),
};

const nic = z.strictObject({
  bridge: bridge.describe("bridge; default: cluster.network.bridge"),
  model: z.enum(["virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"]).default("virtio").describe("network card"),
  vlan: vlan.describe("VLAN tag (PVE: tag)"),
  mtu: z.int().min(1).max(65_520).optional().describe("MTU, virtio only; 1 takes the bridge's"),
  firewall: z.boolean().default(false).describe("PVE firewall on this interface"),
  mac: macAddress
    .transform((text) => text.toUpperCase())
    .optional()
    .describe("MAC of the template itself; clones always get their own"),
});

const allOptions = z.strictObject({
  vmId: vmId.describe("VMID, unique in the cluster; with `nodes` that of the first, the others follow"),
  name: hostName.optional().describe("VM name; default: the template's key"),
  node: nodeName.optional().describe("node; default: cluster.node"),
  nodes: nodeNames
    .optional()
    .describe(
      "instead of `node`: a replica of the template on each of these nodes, for disks on datastores that are not shared; in this order they have the VMIDs vmId, vmId + 1, …, so add nodes at the end",
    ),
  description: notes.default("").describe("notes, Markdown; the ownership mark is added below them"),
  tags: z.array(tag).default([]).describe("PVE tags"),
  pool: poolId.optional().describe("resource pool"),
  onBoot: z.boolean().default(false).describe("start with the node; only for makeTemplate: false (PVE: onboot)"),
  protection: z.boolean().default(false).describe("PVE refuses to delete the VM and its disks (PVE: protection)"),
  image,
  cpu: z
    .strictObject({
      cores: cores.default(2).describe("cores a socket"),
      sockets: z.int().min(1).max(4).default(1).describe("CPU sockets"),
      type: z
        .string()
        .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]*$/, { error: "expected a CPU type, for example host or x86-64-v2-AES" })
        .default("x86-64-v2-AES")
        .describe("CPU type; host for passthrough (PVE: cpu)"),
      numa: z.boolean().default(false).describe("NUMA topology (PVE: numa)"),
    })
    .prefault({})
    .describe("processor"),
  memoryMiB: memoryMiB.default(2048).describe("memory in MiB"),
  balloonMiB: z
    .int()
    .min(0)
    .optional()
    .describe(
      "least memory under pressure in MiB, 0: no balloon device; default: memoryMiB, 0 with GPUs (PVE: balloon)",
    ),
  machine: z.enum(["q35", "pc"]).default("q35").describe("chipset: q35, or pc for i440FX"),
  scsiController: z
    .enum(["virtio-scsi-single", "virtio-scsi-pci", "lsi", "lsi53c810", "megasas", "pvscsi"])
    .default("virtio-scsi-single")
    .describe("SCSI controller (PVE: scsihw)"),
  disk: z.strictObject(diskOptions).prefault({}).describe("boot disk, imported from the image"),
  extraDisks: z.array(z.strictObject(diskOptions)).max(16).default([]).describe("more disks, empty"),
  nics: z.array(nic).min(1).max(8).prefault([{}]).describe("network interfaces, net0 first"),
  serialConsole: z.boolean().default(true).describe("serial port serial0; many cloud images want one"),
  vga: z
    .strictObject({
      type: z
        .enum(["std", "serial0", "virtio", "qxl", "vmware", "cirrus", "none"])
        .optional()
        .describe("kind of display; default: std, none with a primary GPU (PVE: vga)"),
      memoryMiB: z.int().min(4).max(512).optional().describe("its memory in MiB; default: PVE's (PVE: vga memory=)"),
    })
    .prefault({})
    .describe("display"),
  agent: z.boolean().default(true).describe("QEMU guest agent channel (PVE: agent)"),
  osType: z
    .enum(["l26", "l24", "win11", "win10", "win8", "win7", "other", "solaris"])
    .default("l26")
    .describe("operating system of the guest (PVE: ostype)"),
  bootOrder: z
    .array(
      z.string().regex(/^(scsi|virtio|sata|ide|net)\d+$/, { error: "expected a device, for example scsi0 or net0" }),
    )
    .optional()
    .describe("devices in boot order; default: the boot disk"),
  uefi: z
    .strictObject({
      enabled: z.boolean().default(false).describe("OVMF firmware with an EFI disk (4m)"),
      secureBoot: z.boolean().default(true).describe("secure-boot keys enrolled (PVE: pre-enrolled-keys)"),
      datastore: datastoreId.optional().describe("datastore of the EFI disk; default: cluster.datastores.disks"),
    })
    .prefault({})
    .describe("UEFI instead of BIOS"),
  tpm: z
    .strictObject({
      enabled: z.boolean().default(false).describe("a TPM with its state on a volume (PVE: tpmstate0)"),
      version: z.enum(["v2.0", "v1.2"]).default("v2.0").describe("version of the TPM"),
      datastore: datastoreId.optional().describe("datastore of the TPM state; default: cluster.datastores.disks"),
    })
    .prefault({})
    .describe("emulated TPM"),
  gpus: z.array(gpu).max(16).default([]).describe("PCI passthrough"),
  cloudInit: cloudInit.prefault({}),
  makeTemplate: z.boolean().default(true).describe("false: leave a plain, stopped VM"),
});

/** A golden VM template: image, hardware, first-boot configuration. Every field but `vmId` and `image` has a default. */
export const templateSchema = allOptions.refine(({ node, nodes }) => !(node && nodes), {
  path: ["nodes"],
  error: "expected either node or nodes, not both",
});

export type Template = z.output<typeof templateSchema>;
export type TemplateInput = z.input<typeof templateSchema>;
export type DiskOptions = Template["disk"];
