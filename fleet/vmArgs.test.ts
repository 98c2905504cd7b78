import type { VmLegacyArgs } from "@muhlba91/pulumi-proxmoxve";
import { describe, expect, it } from "vitest";
import { clusterSchema } from "../config/cluster.ts";
import { diskNames } from "../config/diskNames.ts";
import { type TemplateInput, templateSchema } from "../config/template.ts";
import { cloudInitDrive, vmArgs } from "./vmArgs.ts";

type Fields = Omit<Partial<TemplateInput>, "vmId" | "image">;

const cluster = clusterSchema.parse({
  endpoint: "https://pve1.example.net:8006",
  node: "pve1",
  network: { dns: { servers: ["10.0.0.1"], domain: "example.net" } },
});
const parse = (fields: Fields) =>
  templateSchema.parse({ vmId: 9000, image: { url: "https://example.net/noble.img" }, ...fields });
const parts = {
  imageVolumeId: "local:import/noble.qcow2",
  cloudInit: { userDataFileId: "local:snippets/user.yaml", vendorDataFileId: "local:snippets/vendor.yaml" },
  notes: "mark",
  tags: ["fleet-1"],
};
const args = (fields: Fields = {}, more = {}): VmLegacyArgs =>
  vmArgs("noble", parse(fields), cluster, { ...parts, ...more });

const bootDisk = {
  interface: "scsi0",
  datastoreId: "local-lvm",
  size: 20,
  discard: "on",
  ssd: true,
  iothread: true,
  cache: "none",
  aio: "io_uring",
  backup: true,
  replicate: true,
  importFrom: "local:import/noble.qcow2",
};
const nic = { bridge: "vmbr0", model: "virtio", firewall: false };

it("states every default, because the plugin has others", () => {
  expect(args()).toEqual({
    vmId: 9000,
    name: "noble",
    nodeName: "pve1",
    description: "mark",
    tags: ["fleet-1"],
    onBoot: false,
    protection: false,
    started: false,
    stopOnDestroy: true,
    purgeOnDestroy: true,
    deleteUnreferencedDisksOnDestroy: false,
    bios: "seabios",
    machine: "q35",
    scsiHardware: "virtio-scsi-single",
    operatingSystem: { type: "l26" },
    cpu: { cores: 2, sockets: 1, type: "x86-64-v2-AES", numa: false },
    memory: { dedicated: 2048, floating: 2048 },
    disks: [bootDisk],
    cdrom: { fileId: "none", interface: "ide2" },
    bootOrders: ["scsi0"],
    networkDevices: [nic],
    serialDevices: [{ device: "socket" }],
    vga: { type: "std" },
    agent: { enabled: true, waitForIp: { disabled: true } },
    hostpcis: [],
    initialization: {
      type: "nocloud",
      datastoreId: "local-lvm",
      interface: "scsi30",
      userDataFileId: "local:snippets/user.yaml",
      vendorDataFileId: "local:snippets/vendor.yaml",
      ipConfigs: [{ ipv4: { address: "dhcp" } }],
      dns: { servers: ["10.0.0.1"], domain: "example.net" },
    },
  });
});

const gpu = { device: "hostpci0", mapping: "gpu", pcie: true, xvga: false, rombar: true };
const initialization = args().initialization;

describe("each option", () => {
  it.each<[string, Fields, Partial<VmLegacyArgs>]>([
    ["name", { name: "golden.example.net" }, { name: "golden.example.net" }],
    ["node", { node: "pve2" }, { nodeName: "pve2" }],
    ["pool", { pool: "golden" }, { poolId: "golden" }],
    ["onBoot", { onBoot: true }, { onBoot: true }],
    ["protection", { protection: true }, { protection: true }],
    [
      "cpu",
      { cpu: { cores: 4, sockets: 2, type: "host", numa: true } },
      { cpu: { cores: 4, sockets: 2, type: "host", numa: true } },
    ],
    ["memoryMiB: ballooning up to it", { memoryMiB: 8192 }, { memory: { dedicated: 8192, floating: 8192 } }],
    ["balloonMiB", { balloonMiB: 1024 }, { memory: { dedicated: 2048, floating: 1024 } }],
    ["balloonMiB: 0 is no balloon", { balloonMiB: 0 }, { memory: { dedicated: 2048, floating: 0 } }],
    ["machine", { machine: "pc" }, { machine: "pc" }],
    ["serialConsole", { serialConsole: false }, { serialDevices: [] }],
    ["vga", { vga: { type: "virtio", memoryMiB: 64 } }, { vga: { type: "virtio", memory: 64 } }],
    ["agent", { agent: false }, { agent: { enabled: false, waitForIp: { disabled: true } } }],
    ["osType", { osType: "win11" }, { operatingSystem: { type: "win11" } }],
    ["bootOrder", { bootOrder: ["scsi0", "net0"] }, { bootOrders: ["scsi0", "net0"] }],
    [
      "uefi, with secure boot",
      { uefi: { enabled: true } },
      {
        bios: "ovmf",
        machine: "q35",
        efiDisk: { datastoreId: "local-lvm", type: "4m", preEnrolledKeys: true, fileFormat: "raw" },
      },
    ],
    [
      "uefi without secure boot, elsewhere",
      { uefi: { enabled: true, secureBoot: false, datastore: "fast" } },
      { efiDisk: { datastoreId: "fast", type: "4m", preEnrolledKeys: false, fileFormat: "raw" } },
    ],
    ["tpm without uefi", { tpm: { enabled: true } }, { tpmState: { datastoreId: "local-lvm", version: "v2.0" } }],
    [
      "tpm version",
      { tpm: { enabled: true, version: "v1.2", datastore: "fast" } },
      { tpmState: { datastoreId: "fast", version: "v1.2" } },
    ],
    [
      "gpu by mapping: no balloon, as its memory is pinned",
      { gpus: [{ mapping: "gpu" }] },
      { hostpcis: [gpu], memory: { dedicated: 2048, floating: 0 }, vga: { type: "std" } },
    ],
    [
      "gpu as primary display",
      { gpus: [{ mapping: "gpu", primary: true }] },
      { hostpcis: [{ ...gpu, xvga: true }], vga: { type: "none" } },
    ],
    [
      "gpu by raw id, all its options",
      { gpus: [{ id: "0000:01:00.0", pcie: false, romBar: false, mdev: "nvidia-35" }] },
      {
        hostpcis: [
          { device: "hostpci0", id: "0000:01:00.0", pcie: false, xvga: false, rombar: false, mdev: "nvidia-35" },
        ],
      },
    ],
    [
      "nics",
      {
        nics: [{ bridge: "vmbr1", vlan: 42, mtu: 1400, firewall: true, mac: "bc:24:11:00:00:01" }, { model: "e1000" }],
      },
      {
        networkDevices: [
          { ...nic, bridge: "vmbr1", vlanId: 42, mtu: 1400, firewall: true, macAddress: "BC:24:11:00:00:01" },
          { ...nic, model: "e1000" },
        ],
      },
    ],
    [
      "disk",
      {
        disk: {
          sizeGiB: 64,
          datastore: "fast",
          discard: false,
          ssd: false,
          iothread: false,
          cache: "writeback",
          aio: "threads",
          backup: false,
        },
      },
      {
        disks: [
          {
            ...bootDisk,
            datastoreId: "fast",
            size: 64,
            discard: "ignore",
            ssd: false,
            iothread: false,
            cache: "writeback",
            aio: "threads",
            backup: false,
          },
        ],
      },
    ],
    [
      "disk on virtio, which has no ssd",
      { disk: { bus: "virtio" } },
      { disks: [{ ...bootDisk, interface: "virtio0", ssd: false }], bootOrders: ["virtio0"] },
    ],
    [
      "disk on sata, which has no I/O thread",
      { disk: { bus: "sata" } },
      { disks: [{ ...bootDisk, interface: "sata0", iothread: false }], bootOrders: ["sata0"] },
    ],
    [
      "scsiController: another one has no I/O thread a disk",
      { scsiController: "virtio-scsi-pci" },
      { scsiHardware: "virtio-scsi-pci", disks: [{ ...bootDisk, iothread: false }] },
    ],
    [
      "cloudInit: static addresses",
      { cloudInit: { ip: "10.0.0.9/24", gateway: "10.0.0.1", ip6: "2001:db8::9/64", gateway6: "2001:db8::1" } },
      {
        initialization: {
          ...initialization,
          ipConfigs: [
            {
              ipv4: { address: "10.0.0.9/24", gateway: "10.0.0.1" },
              ipv6: { address: "2001:db8::9/64", gateway: "2001:db8::1" },
            },
          ],
        },
      },
    ],
    [
      "cloudInit: SLAAC",
      { cloudInit: { ip6: "auto" } },
      {
        initialization: {
          ...initialization,
          ipConfigs: [{ ipv4: { address: "dhcp" }, ipv6: { address: "auto" } }],
        },
      },
    ],
    [
      "cloudInit: its own DNS",
      { cloudInit: { dns: { servers: ["10.0.0.2"] } } },
      { initialization: { ...initialization, dns: { servers: ["10.0.0.2"] } } },
    ],
    [
      "cloudInit: drive on IDE; the empty CD-ROM makes room",
      { cloudInit: { drive: "ide" } },
      { initialization: { ...initialization, interface: "ide2" }, cdrom: { fileId: "none", interface: "ide0" } },
    ],
  ] as [string, Fields, Partial<VmLegacyArgs>][])("%s", (_, fields, expected) => {
    expect(args(fields)).toMatchObject(expected);
  });
});

it("gives extra disks the next number of their bus", () => {
  const extraDisks: TemplateInput["extraDisks"] = [
    { sizeGiB: 8 },
    { bus: "virtio" },
    { bus: "sata" },
    { bus: "virtio" },
  ];
  expect(diskNames(parse({ extraDisks }))).toEqual(["scsi0", "scsi1", "virtio0", "sata0", "virtio1"]);
  const disks = args({ extraDisks }).disks as { interface: string; importFrom?: string }[];
  expect(disks.map((disk) => disk.interface)).toEqual(["scsi0", "scsi1", "virtio0", "sata0", "virtio1"]);
  expect(disks.filter((disk) => disk.importFrom)).toHaveLength(1);
});

it("names the network snippet where there is one, and no DNS where nobody names any", () => {
  const bare = { ...cluster, network: { ...cluster.network, dns: { servers: [] } } };
  const cloudInit = { ...parts.cloudInit, networkDataFileId: "local:snippets/network.yaml" };
  const made = vmArgs("noble", parse({}), bare, { ...parts, cloudInit });
  expect(made.initialization).toMatchObject({ networkDataFileId: "local:snippets/network.yaml" });
  expect(made.initialization).not.toHaveProperty("dns");
});

it("puts the user into PVE's own fields where there are no snippets, and has no packages upgraded", () => {
  const account = { username: "ubuntu", passwordHash: "$6$salt$hash", publicKeys: ["ssh-ed25519 AAAA"] };
  const { initialization } = args({}, { cloudInit: account });
  expect(initialization).toMatchObject({
    upgrade: false,
    userAccount: { username: "ubuntu", password: "$6$salt$hash", keys: ["ssh-ed25519 AAAA"] },
    ipConfigs: [{ ipv4: { address: "dhcp" } }],
  });
  for (const key of ["userDataFileId", "vendorDataFileId"]) expect(initialization).not.toHaveProperty(key);
  expect(args({}, { cloudInit: { publicKeys: [] } }).initialization).not.toHaveProperty("userAccount");
});

it.each([
  ["virtio-scsi-single", "scsi30"],
  ["virtio-scsi-pci", "scsi30"],
  ["lsi", "ide2"],
  ["megasas", "ide2"],
] as const)("puts the cloud-init drive of %s on %s", (scsiController, drive) => {
  expect(cloudInitDrive(parse({ scsiController }))).toBe(drive);
});
