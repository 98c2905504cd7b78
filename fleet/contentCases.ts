import type { z } from "zod";
import type { clusterSchema } from "../config/cluster.ts";
import type { TemplateInput } from "../config/template.ts";
import { PUBLIC_KEY } from "../config/testing.ts";

type ClusterInput = z.input<typeof clusterSchema>;

export interface ContentCase {
  cluster?: Partial<ClusterInput>;
  template: Partial<TemplateInput>;
}

const image = { url: "https://example.net/noble.img" };
const listed = { ...image, checksumUrl: "https://example.net/SHA256SUMS" };

/** Templates whose content hash must stay what it is for ever: a change of one would make everybody's templates anew. */
export const contentCases: Record<string, ContentCase> = {
  "nothing but an image": { template: {} },
  "an image without checksum": { template: { image } },
  "an image with a list of checksums": { template: { image: listed } },
  "a cluster with datastores and network of its own": {
    cluster: {
      datastores: { disks: "ceph", images: "nfs", snippets: "nfs" },
      network: { bridge: "vmbr7", dns: { servers: ["10.0.0.1", "2001:db8::53"], domain: "example.net" } },
    },
    template: { uefi: { enabled: true }, tpm: { enabled: true } },
  },
  "UEFI and TPM": { template: { uefi: { enabled: true, secureBoot: false }, tpm: { enabled: true, version: "v1.2" } } },
  "UEFI and TPM on datastores of their own": {
    template: { uefi: { enabled: true, datastore: "fast" }, tpm: { enabled: true, datastore: "slow" } },
  },
  "processor and memory": {
    template: { cpu: { cores: 4, sockets: 2, type: "host", numa: true }, memoryMiB: 8192, balloonMiB: 1024 },
  },
  "the older chipset": { template: { machine: "pc", scsiController: "lsi", disk: { bus: "sata" }, agent: false } },
  "a virtio disk": { template: { disk: { bus: "virtio", sizeGiB: 8, datastore: "fast" } } },
  "many disks": {
    template: {
      disk: { sizeGiB: 32, cache: "writeback", aio: "threads", backup: false, iothread: false },
      extraDisks: [
        { sizeGiB: 8, discard: false, ssd: false, iothread: true },
        { bus: "virtio", sizeGiB: 4, aio: "native", cache: "directsync" },
        { bus: "sata", sizeGiB: 2, ssd: true },
      ],
      bootOrder: ["scsi0", "net0"],
    },
  },
  "many network interfaces": {
    template: {
      nics: [
        { vlan: 42, mtu: 1400, firewall: true, mac: "bc:24:11:00:00:01" },
        { model: "e1000", bridge: "vmbr1" },
      ],
    },
  },
  "GPUs and display": {
    template: {
      gpus: [
        { mapping: "rtx4090", primary: true, romBar: false },
        { id: "0000:01:00.1", pcie: false, mdev: "nvidia-1" },
      ],
      vga: { type: "virtio", memoryMiB: 64 },
      serialConsole: false,
      osType: "win11",
    },
  },
  "a user with keys": {
    template: { cloudInit: { user: "ubuntu", sshPublicKeys: [PUBLIC_KEY], packages: ["qemu-guest-agent"] } },
  },
  "a user with a password": { template: { cloudInit: { user: "ubuntu", password: "correct horse" } } },
  "everything of cloud-init": {
    template: {
      cloudInit: {
        user: "admin",
        packages: ["qemu-guest-agent", "htop"],
        packageUpgrade: true,
        timezone: "Europe/Vienna",
        locale: "de_AT.UTF-8",
        runCommands: ["echo hello", ["touch", "/tmp/a b"]],
        writeFiles: [
          { path: "/etc/motd", content: "golden\n" },
          { path: "/root/x", content: "a: 1", permissions: "0600", owner: "root:root", append: true, defer: true },
        ],
        vendor: { ntp: { enabled: true } },
        userData: { ssh_pwauth: false },
        drive: "ide",
        ip: "10.0.0.9/24",
        gateway: "10.0.0.1",
        ip6: "2001:db8::9/64",
        gateway6: "2001:db8::1",
        dns: { servers: ["10.0.0.2"], domain: "lab.example.net" },
      },
    },
  },
  "a network-config": { template: { cloudInit: { network: { version: 2, ethernets: { eth0: { dhcp4: true } } } } } },
  "a user in PVE's own fields": {
    template: {
      cloudInit: { snippets: false, user: "ubuntu", password: "correct horse", sshPublicKeys: [PUBLIC_KEY] },
    },
  },
  "a plain VM": { template: { makeTemplate: false, onBoot: true } },
};
