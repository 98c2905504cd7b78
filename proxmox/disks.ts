import { type PveClient, path } from "./client.ts";
import { type GuestConfig, readConfig } from "./guests.ts";
import type { VmAt } from "./power.ts";
import { parseProperties } from "./propertyString.ts";
import { type RunOptions, runTask } from "./task.ts";

const DRIVE = /^(scsi|virtio|sata|ide|efidisk|tpmstate)\d+$/;

/** The volumes of a config by drive, CD-ROMs and cloud-init drives left out. */
export function diskVolumes(config: GuestConfig): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      if (!DRIVE.test(key) || typeof value !== "string") return [];
      const drive = parseProperties(value);
      return drive.get("media") === "cdrom" ? [] : [[key, drive.get("") ?? drive.get("file") ?? ""]];
    }),
  );
}

/** All disks that a VM holds, those that it does not use (PVE: unusedN) included. */
export function heldVolumes(config: GuestConfig): Record<string, string> {
  const unused = Object.entries(config).filter(([key]) => /^unused\d+$/.test(key));
  return { ...diskVolumes(config), ...Object.fromEntries(unused.map(([key, volume]) => [key, String(volume)])) };
}

/** The cloud-init drive of a config and its volume, which no other drive holds. */
export function cloudInitVolume(config: GuestConfig): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      if (!DRIVE.test(key) || typeof value !== "string") return [];
      const volume = parseProperties(value).get("") ?? "";
      return /(^|[:/])vm-\d+-cloudinit(\.|$)/.test(volume) ? [[key, volume]] : [];
    }),
  );
}

/** The datastore of a volume id such as `local-lvm:vm-9000-disk-0`. */
export const datastoreOf = (volumeId: string): string => volumeId.slice(0, Math.max(0, volumeId.indexOf(":")));

/** Whether a volume stands on a template's: `local:9000/base-9000-disk-1.qcow2/9101/vm-9101-disk-1.qcow2`. */
export const baseOf = (volumeId: string): number | undefined => {
  const [, vmId] = /[:/]base-(\d+)-[^/]+\//.exec(volumeId) ?? [];
  return vmId === undefined ? undefined : Number(vmId);
};

const UNITS: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes of a drive as its config value says: `local-lvm:vm-9000-disk-0,size=20G`. */
export function sizeOf(drive: unknown): number | undefined {
  const [, number, unit = ""] = /^([\d.]+)([KMGT]?)$/.exec(parseProperties(drive).get("size") ?? "") ?? [];
  return number === undefined ? undefined : Number(number) * (UNITS[unit] ?? 1);
}

/**
 * Grows a disk to a size where it has less. A disk never shrinks.
 *
 * @param config the VM's config as it is
 * @returns whether there was anything to do
 */
export async function growDisk(
  client: PveClient,
  vm: VmAt,
  { drive, sizeGiB, config }: { drive: string; sizeGiB: number; config: GuestConfig },
  options: RunOptions & { onBegin?: () => void } = {},
): Promise<boolean> {
  const isSmaller = (found: GuestConfig | undefined) =>
    (sizeOf(found?.[drive]) ?? Number.POSITIVE_INFINITY) < sizeGiB * 2 ** 30;
  if (!isSmaller(config)) return false;
  options.onBegin?.();
  await runTask(
    client,
    {
      ...vm,
      send: () => client.put(path`/nodes/${vm.node}/qemu/${vm.vmId}/resize`, { disk: drive, size: `${sizeGiB}G` }),
      isDone: async () => !isSmaller(await readConfig(client, vm.node, vm.vmId)),
    },
    options,
  );
  return true;
}

/**
 * Allocates a volume for a drive that a VM does not have. The VM is looked at before each request, and the request holds only
 * for the VM that was looked at: an answer that got lost does not allocate a second volume.
 *
 * @param value what the drive is to be, for example `local-lvm:50,discard=on`
 */
export async function addDisk(
  client: PveClient,
  vm: VmAt,
  { drive, value }: { drive: string; value: string },
  options: RunOptions = {},
): Promise<void> {
  const at = path`/nodes/${vm.node}/qemu/${vm.vmId}/config`;
  const read = () => readConfig(client, vm.node, vm.vmId);
  await runTask(
    client,
    {
      ...vm,
      send: async () => {
        const found = await read();
        return found?.[drive] === undefined ? client.post(at, { [drive]: value, digest: found?.digest }) : null;
      },
      isDone: async () => (await read())?.[drive] !== undefined,
    },
    options,
  );
}

/** Takes a drive off a VM and deletes its volume (PVE: `delete` with `force`). */
export async function deleteDisk(client: PveClient, vm: VmAt, drive: string, options: RunOptions = {}): Promise<void> {
  await runTask(
    client,
    {
      ...vm,
      send: () => client.post(path`/nodes/${vm.node}/qemu/${vm.vmId}/config`, { delete: drive, force: true }),
      isDone: async () => (await readConfig(client, vm.node, vm.vmId))?.[drive] === undefined,
    },
    options,
  );
}

/** Moves a disk to another datastore, running or not (PVE: move_disk); the old volume is deleted. */
export async function moveDisk(
  client: PveClient,
  vm: VmAt,
  { drive, datastore }: { drive: string; datastore: string },
  options: RunOptions = {},
): Promise<void> {
  await runTask(
    client,
    {
      ...vm,
      send: () =>
        client.post(path`/nodes/${vm.node}/qemu/${vm.vmId}/move_disk`, {
          disk: drive,
          storage: datastore,
          delete: true,
        }),
      isDone: async () => {
        const found = (await readConfig(client, vm.node, vm.vmId))?.[drive];
        return datastoreOf(parseProperties(found).get("") ?? "") === datastore;
      },
    },
    options,
  );
}
