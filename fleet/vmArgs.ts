import type { types, VmLegacyArgs } from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../config/cluster.ts";
import { diskNames } from "../config/diskNames.ts";
import type { DiskOptions, Template } from "../config/template.ts";

type Disk = types.input.VmLegacyDisk;
type Initialization = types.input.VmLegacyInitialization;

/** Volume ids of the cloud-init snippets. */
export interface SnippetIds {
  userDataFileId: pulumi.Input<string>;
  /** Missing with user-data that is not cloud-init's. */
  vendorDataFileId?: pulumi.Input<string>;
  metaDataFileId?: pulumi.Input<string>;
  networkDataFileId?: pulumi.Input<string>;
}

/** What stands in PVE's own fields where there are no snippets (PVE: `ciuser`, `cipassword`, `sshkeys`). */
export interface Account {
  username?: pulumi.Input<string>;
  /** SHA-512 crypt hash, which PVE takes as it is. */
  passwordHash?: pulumi.Input<string>;
  publicKeys: pulumi.Input<string[]>;
}

/** The fields of the user, if anything is said of it; PVE alone would have the guest upgrade its packages. */
function accountFields({ username, passwordHash, publicKeys }: Account): Partial<Initialization> {
  const userAccount = {
    ...(username !== undefined && { username }),
    ...(passwordHash !== undefined && { password: passwordHash }),
    ...((!Array.isArray(publicKeys) || publicKeys.length > 0) && { keys: publicKeys }),
  };
  return { upgrade: false, ...(Object.keys(userAccount).length > 0 && { userAccount }) };
}

/** What other resources give to the VM. */
export interface VmParts {
  imageVolumeId: pulumi.Input<string>;
  cloudInit: SnippetIds | Account;
  /** PVE's `description`, with the ownership mark. */
  notes: pulumi.Input<string>;
  /** PVE tags; PVE keeps them sorted. */
  tags: pulumi.Input<string[]>;
}

/** The drive that holds the cloud-init data. The kernels of cloud images often have no driver for IDE, but for virtio SCSI. */
export function cloudInitDrive({ cloudInit, scsiController }: Template): "scsi30" | "ide2" {
  const bus = cloudInit.drive ?? (scsiController.startsWith("virtio") ? "scsi" : "ide");
  return bus === "scsi" ? "scsi30" : "ide2";
}

function disk(options: DiskOptions, name: string, datastore: string, template: Template): Disk {
  const { bus, sizeGiB, discard, cache, aio, backup } = options;
  const ownThread = bus === "virtio" || (bus === "scsi" && template.scsiController === "virtio-scsi-single");
  return {
    interface: name,
    datastoreId: options.datastore ?? datastore,
    size: sizeGiB,
    discard: discard ? "on" : "ignore",
    ssd: options.ssd ?? bus !== "virtio",
    iothread: options.iothread ?? ownThread,
    cache,
    aio,
    backup,
    replicate: true,
  };
}

/** The arguments of the template's VM. Everything that the provider has a default of its own for is stated. */
export function vmArgs(key: string, template: Template, cluster: Cluster, parts: VmParts): VmLegacyArgs {
  const { cpu, cloudInit, uefi, tpm, gpus, vga } = template;
  const { datastores, network } = cluster;
  const [bootDisk = "scsi0", ...extraDisks] = diskNames(template);
  const primary = gpus.some((gpu) => gpu.primary);
  const dns = cloudInit.dns ?? network.dns;
  const drive = cloudInitDrive(template);
  return {
    vmId: template.vmId,
    name: template.name ?? key,
    nodeName: template.node ?? cluster.node,
    description: parts.notes,
    tags: parts.tags,
    ...(template.pool && { poolId: template.pool }),
    onBoot: template.onBoot,
    protection: template.protection,
    started: false,
    stopOnDestroy: true,
    purgeOnDestroy: true,
    deleteUnreferencedDisksOnDestroy: false,
    bios: uefi.enabled ? "ovmf" : "seabios",
    machine: template.machine,
    scsiHardware: template.scsiController,
    operatingSystem: { type: template.osType },
    cpu: { cores: cpu.cores, sockets: cpu.sockets, type: cpu.type, numa: cpu.numa },
    memory: {
      dedicated: template.memoryMiB,
      floating: template.balloonMiB ?? (gpus.length > 0 ? 0 : template.memoryMiB),
    },
    ...(uefi.enabled && {
      efiDisk: {
        datastoreId: uefi.datastore ?? datastores.disks,
        type: "4m",
        preEnrolledKeys: uefi.secureBoot,
        fileFormat: "raw",
      },
    }),
    ...(tpm.enabled && { tpmState: { datastoreId: tpm.datastore ?? datastores.disks, version: tpm.version } }),
    disks: [
      { ...disk(template.disk, bootDisk, datastores.disks, template), importFrom: parts.imageVolumeId },
      ...template.extraDisks.map((options, index) =>
        disk(options, extraDisks[index] ?? "", datastores.disks, template),
      ),
    ],
    // Unstated, the provider attaches the node's own drive and boots from it; q35 has ide0 and ide2 only.
    cdrom: { fileId: "none", interface: drive === "ide2" ? "ide0" : "ide2" },
    bootOrders: template.bootOrder ?? [bootDisk],
    networkDevices: template.nics.map((nic) => ({
      bridge: nic.bridge ?? network.bridge,
      model: nic.model,
      firewall: nic.firewall,
      ...(nic.vlan && { vlanId: nic.vlan }),
      ...(nic.mtu && { mtu: nic.mtu }),
      ...(nic.mac && { macAddress: nic.mac }),
    })),
    serialDevices: template.serialConsole ? [{ device: "socket" }] : [],
    vga: { type: vga.type ?? (primary ? "none" : "std"), ...(vga.memoryMiB && { memory: vga.memoryMiB }) },
    // A template never runs, so nobody answers: do not wait for addresses.
    agent: { enabled: template.agent, waitForIp: { disabled: true } },
    hostpcis: gpus.map((gpu, index) => ({
      device: `hostpci${index}`,
      ...(gpu.mapping ? { mapping: gpu.mapping } : { id: gpu.id ?? "" }),
      pcie: gpu.pcie,
      xvga: gpu.primary,
      rombar: gpu.romBar,
      ...(gpu.mdev && { mdev: gpu.mdev }),
    })),
    initialization: {
      type: "nocloud",
      datastoreId: datastores.disks,
      interface: drive,
      ...("publicKeys" in parts.cloudInit ? accountFields(parts.cloudInit) : parts.cloudInit),
      ipConfigs: [
        {
          ipv4: { address: cloudInit.ip, ...(cloudInit.gateway && { gateway: cloudInit.gateway }) },
          ...(cloudInit.ip6 && {
            ipv6: { address: cloudInit.ip6, ...(cloudInit.gateway6 && { gateway: cloudInit.gateway6 }) },
          }),
        },
      ],
      ...((dns.servers.length > 0 || dns.domain) && {
        dns: { servers: dns.servers, ...(dns.domain && { domain: dns.domain }) },
      }),
    },
  };
}
