import type { Gpu } from "../devices.ts";
import { diskNames } from "../diskNames.ts";
import type { Login } from "../login.ts";
import type { Problem } from "../problem.ts";
import type { DiskOptions, Template } from "../template.ts";

/** Disks that PVE takes on a bus: sata0 to sata5, virtio0 to virtio15, scsi0 to scsi29; scsi30 is for the cloud-init drive. */
const DISKS = { sata: 6, virtio: 16, scsi: 30 };

/** Cache modes that bypass the node's page cache, as QEMU asks for with `aio=native`. */
const DIRECT: readonly string[] = ["none", "directsync"];

/** Devices of the VM that it can boot from; the drives are the cloud-init drive and the CD drive, wherever they are. */
function bootable(template: Template): string[] {
  const nics = template.nics.map((_nic, index) => `net${index}`);
  return [...diskNames(template), ...nics, "ide0", "ide2", "scsi30"];
}

/** Whether PVE refuses what it takes of root@pam alone, whose token is not root to it. */
export const isNotRoot = (login: Login | undefined): boolean =>
  login !== undefined && !(login.kind === "password" && login.username === "root@pam");

/** PCI devices that the machine cannot have, or the login not give. */
export function gpuProblems(
  gpus: readonly Gpu[],
  path: string,
  machine: Template["machine"],
  login: Login | undefined,
): Problem[] {
  return [
    ...gpus.flatMap(({ pcie, id }, index): Problem[] => [
      ...(pcie && machine !== "q35"
        ? [
            {
              path: `${path}[${index}].pcie`,
              message: `found true with machine "${machine}"; expected machine q35, or pcie: false`,
            },
          ]
        : []),
      ...(id !== undefined && isNotRoot(login)
        ? [
            {
              path: `${path}[${index}].id`,
              message: `found "${id}", a raw PCI address, which PVE takes from root@pam with a password only; expected a mapping, which works with an API token`,
            },
          ]
        : []),
    ]),
    ...(gpus.filter(({ primary }) => primary).length > 1
      ? [{ path, message: "found more than one primary GPU; expected one at most" }]
      : []),
  ];
}

/** Options of a disk that its bus, or the VM's controller, cannot have. */
export function diskProblems(
  { bus, ssd, aio, cache, iothread }: DiskOptions,
  path: string,
  scsiController: Template["scsiController"],
): Problem[] {
  const wrong = (key: string, message: string): Problem[] => [{ path: `${path}.${key}`, message }];
  return [
    ...(ssd && bus === "virtio" ? wrong("ssd", "found true with bus virtio; expected bus scsi or sata") : []),
    ...(aio === "native" && !DIRECT.includes(cache)
      ? wrong("aio", `found "native" with cache "${cache}"; expected cache none or directsync, or another aio`)
      : []),
    ...(iothread && bus === "sata" ? wrong("iothread", "found true with bus sata; expected bus scsi or virtio") : []),
    ...(iothread && bus === "scsi" && scsiController !== "virtio-scsi-single"
      ? wrong("iothread", `found true with scsiController "${scsiController}"; expected virtio-scsi-single`)
      : []),
  ];
}

/** More disks than a bus takes. */
export function busProblems(disks: readonly Pick<DiskOptions, "bus">[], path: string): Problem[] {
  return Object.entries(DISKS).flatMap(([bus, limit]): Problem[] => {
    const count = disks.filter((one) => one.bus === bus).length;
    if (count <= limit) return [];
    return [{ path, message: `found ${count} disks on bus ${bus}; expected at most ${limit} there` }];
  });
}

/** Hardware that cannot work together, before PVE refuses it one piece at a time. */
export function hardware(template: Template, path: string, login: Login | undefined): Problem[] {
  const problems: Problem[] = [];
  const wrong = (key: string, message: string) => problems.push({ path: `${path}.${key}`, message });
  const { uefi, tpm, gpus, machine, disk, extraDisks, nics, scsiController } = template;

  if (template.osType === "win11" && !(uefi.enabled && tpm.enabled)) {
    wrong("osType", 'found "win11", which needs uefi.enabled: true and tpm.enabled: true');
  }
  if (uefi.enabled && uefi.secureBoot && machine !== "q35") {
    wrong("machine", `found "${machine}"; expected q35 with uefi.secureBoot`);
  }
  problems.push(...gpuProblems(gpus, `${path}.gpus`, machine, login));
  const devices = bootable(template);
  for (const [index, device] of (template.bootOrder ?? []).entries()) {
    if (!devices.includes(device))
      wrong(
        `bootOrder[${index}]`,
        `found "${device}", which the VM does not have; expected one of ${devices.join(", ")}`,
      );
  }
  if (template.balloonMiB !== undefined && template.balloonMiB > template.memoryMiB) {
    wrong("balloonMiB", `found ${template.balloonMiB}; expected at most memoryMiB (${template.memoryMiB})`);
  }

  problems.push(
    ...diskProblems(disk, `${path}.disk`, scsiController),
    ...extraDisks.flatMap((one, index) => diskProblems(one, `${path}.extraDisks[${index}]`, scsiController)),
    ...busProblems([disk, ...extraDisks], `${path}.extraDisks`),
  );
  nics.forEach((nic, index) => {
    if (nic.mtu && nic.model !== "virtio")
      wrong(`nics[${index}].mtu`, `found ${nic.mtu} with model "${nic.model}"; expected model virtio`);
  });
  if (template.cloudInit.drive === "scsi" && !scsiController.startsWith("virtio")) {
    wrong(
      "cloudInit.drive",
      `found "scsi" with scsiController "${scsiController}"; expected a virtio controller, or drive: ide`,
    );
  }
  if (template.makeTemplate && template.onBoot)
    wrong("onBoot", "found true, but a template never starts; expected false");
  return problems;
}
