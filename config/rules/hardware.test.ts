import { expect, test } from "vitest";
import { noble, problems, templateProblems } from "../testing.ts";

test.each([
  [{ osType: "win11", uefi: { enabled: true }, tpm: { enabled: true } }],
  [{ tpm: { enabled: true } }],
  [{ uefi: { enabled: true, secureBoot: false }, machine: "pc" }],
  [{ gpus: [{ mapping: "rtx", pcie: false }], machine: "pc" }],
  [{ gpus: [{ mapping: "rtx", primary: true }, { mapping: "rtx2" }] }],
  [{ disk: { bus: "virtio", iothread: true } }],
  [{ scsiController: "lsi", cloudInit: { drive: "ide" } }],
  [{ makeTemplate: false, onBoot: true }],
  [{ balloonMiB: 2048 }],
  [{ extraDisks: Array(6).fill({ bus: "sata" }) }],
  [{ disk: { aio: "native", cache: "directsync" } }],
  [{ bootOrder: ["scsi1", "net0", "ide2"], extraDisks: [{}] }],
])("%j works", (fields) => {
  expect(templateProblems(fields)).toEqual([]);
});

test.each([
  [
    { osType: "win11", uefi: { enabled: true } },
    'osType: found "win11", which needs uefi.enabled: true and tpm.enabled: true',
  ],
  [{ uefi: { enabled: true }, machine: "pc" }, 'machine: found "pc"; expected q35 with uefi.secureBoot'],
  [
    { gpus: [{ mapping: "rtx" }], machine: "pc" },
    'gpus[0].pcie: found true with machine "pc"; expected machine q35, or pcie: false',
  ],
  [
    {
      gpus: [
        { mapping: "gpu0", primary: true },
        { mapping: "gpu1", primary: true },
      ],
    },
    "gpus: found more than one primary GPU; expected one at most",
  ],
  [{ balloonMiB: 4096 }, "balloonMiB: found 4096; expected at most memoryMiB (2048)"],
  [{ disk: { bus: "virtio", ssd: true } }, "disk.ssd: found true with bus virtio; expected bus scsi or sata"],
  [
    { disk: { bus: "sata" }, extraDisks: Array(6).fill({ bus: "sata" }) },
    "extraDisks: found 7 disks on bus sata; expected at most 6 there",
  ],
  [
    { extraDisks: [{}, { bus: "sata", iothread: true }] },
    "extraDisks[1].iothread: found true with bus sata; expected bus scsi or virtio",
  ],
  [
    { disk: { iothread: true }, scsiController: "virtio-scsi-pci" },
    'disk.iothread: found true with scsiController "virtio-scsi-pci"; expected virtio-scsi-single',
  ],
  [{ nics: [{ model: "e1000", mtu: 9000 }] }, 'nics[0].mtu: found 9000 with model "e1000"; expected model virtio'],
  [
    { scsiController: "lsi", cloudInit: { drive: "scsi" } },
    'cloudInit.drive: found "scsi" with scsiController "lsi"; expected a virtio controller, or drive: ide',
  ],
  [
    { disk: { aio: "native", cache: "writeback" } },
    'disk.aio: found "native" with cache "writeback"; expected cache none or directsync, or another aio',
  ],
  [
    { bootOrder: ["scsi0", "scsi1"] },
    'bootOrder[1]: found "scsi1", which the VM does not have; expected one of scsi0, net0, ide0, ide2, scsi30',
  ],
  [{ onBoot: true }, "onBoot: found true, but a template never starts; expected false"],
])("%j does not", (fields, expected) => {
  expect(templateProblems(fields)).toEqual([`templates.noble.${expected}`]);
});

test("a raw PCI address needs root@pam with a password", () => {
  const templates = { noble: { ...noble, gpus: [{ id: "0000:01:00.0" }] } };
  const password = (username: string) => problems({ templates, apiToken: undefined, username, password: "pw" });
  expect(password("root@pam")).toEqual([]);
  expect(password("admin@pve")).toHaveLength(1);
  expect(problems({ templates })[0]).toMatch(/^templates.noble.gpus\[0\].id: found "0000:01:00.0", a raw PCI address/);
});
