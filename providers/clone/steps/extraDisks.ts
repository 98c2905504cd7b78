import { isDeepStrictEqual } from "node:util";
import type { CloneDisk } from "../../../fleet/cloneDisks.ts";
import type { Params } from "../../../proxmox/client.ts";
import { ProxmoxError } from "../../../proxmox/errors.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import type { RunOptions } from "../../../proxmox/task.ts";
import { type Holder, leftInHolder, lostOnTheWay, slotsOfHolder } from "../holders.ts";
import {
  bySlot,
  diskName,
  lostDisks,
  observedOwnDisk,
  onTheirDrives,
  slotsOf,
  volumeOf,
  withOptions,
} from "../ownDisks.ts";
import type { GrowDiskApi } from "./growDisk.ts";
import type { MoveDisksApi } from "./moveDisks.ts";
import { percentOf } from "./percent.ts";
import { vmOf, type Work } from "./work.ts";

type Vm = { node: string; vmId: number };

export interface ExtraDisksApi extends GrowDiskApi, MoveDisksApi {
  /** The VM that has disks of the clone since it was to be made anew. */
  findHolder(): Promise<Holder | undefined>;
  /** Gives a disk of the holder back to the clone. */
  takeBack(holder: Holder, from: string, vm: Vm, drive: string): Promise<void>;
  /** Deletes the holder; gives the disks that it still has, and then leaves it. */
  releaseHolder(holder: Holder): Promise<string | undefined>;
  /** Allocates a volume for a drive that the VM does not have. */
  addDisk(vm: Vm, disk: CloneDisk, options: RunOptions): Promise<void>;
  /** Takes a drive off the VM and deletes its volume. */
  deleteDisk(vm: Vm, drive: string): Promise<void>;
  setOptions(vm: Vm, options: Params): Promise<unknown>;
}

/** @throws ProxmoxError if a drive has something on it that is not the clone's disk */
function inTheWay({ inputs: { vmId, name } }: Work, disk: CloneDisk, config: GuestConfig): ProxmoxError {
  return new ProxmoxError(
    "in-the-way",
    `${disk.drive} of VM ${vmId} is taken by ${config[disk.drive]}, which this stack did not put there, and is to be a disk of ${name} with ${disk.sizeGiB} GiB; it is left alone. Put it on another drive, or take the disk out of extraDisks`,
  );
}

/** Deletes what the config does not have any more, as preview has said. */
async function deleteLost(api: ExtraDisksApi, work: Work, config: GuestConfig, disk: CloneDisk): Promise<void> {
  const { inputs, messages } = work;
  if (config[disk.drive] === undefined) return;
  const found = observedOwnDisk(disk, config);
  if (found.datastore !== disk.datastore || found.sizeGiB < disk.sizeGiB)
    throw new ProxmoxError(
      "in-the-way",
      `${disk.drive} of VM ${inputs.vmId} is ${config[disk.drive]}, and not the disk with ${disk.sizeGiB} GiB on ${disk.datastore} that is to be deleted; it is left alone. \`pulumi refresh\` brings the state up to date`,
    );
  // PVE would take the drive off and then not delete its volume.
  if (config.parent !== undefined)
    throw new ProxmoxError(
      "has-snapshots",
      `VM ${inputs.vmId} has snapshots (the last is "${config.parent}"), and PVE deletes no disk that a snapshot may need: ${disk.drive} is left alone. Delete them first: qm listsnapshot ${inputs.vmId}, qm delsnapshot ${inputs.vmId} <name>`,
    );
  messages.info(`deleting disk ${diskName(disk)} of ${inputs.name}`);
  await api.deleteDisk(vmOf(work), disk.drive);
}

/** Brings a disk that is there to what the config says. */
async function change(api: ExtraDisksApi, work: Work, disk: CloneDisk, config: GuestConfig): Promise<void> {
  const { inputs, messages } = work;
  const vm = vmOf(work);
  const { drive, datastore, sizeGiB, options } = disk;
  const found = observedOwnDisk(disk, config);
  let now = config;
  if (found.options !== options) {
    messages.report(`configuring ${drive} of ${inputs.name}`);
    await api.setOptions(vm, { [drive]: withOptions(config[drive], options) });
  }
  if (found.datastore !== datastore) {
    const doing = `moving ${drive} of ${inputs.name} to datastore ${datastore}`;
    messages.report(doing);
    const onLog = (line: string) => {
      const percent = percentOf(line);
      if (percent !== undefined) messages.progress(doing, percent);
    };
    await api.moveDisk(vm, { drive, datastore }, { onLog });
    now = (await api.readConfig(vm.node, vm.vmId)) ?? {};
  }
  await api.growDisk(vm, { drive, sizeGiB, config: now }, () =>
    messages.report(`growing ${drive} of ${inputs.name} to ${sizeGiB} GiB`),
  );
}

/**
 * Makes, changes and deletes the clone's own disks, one after the other, before the guest is started for the first time. What
 * the state does not know on a drive is the clone's only if it is just what would be made: then a killed run has made it.
 */
export async function extraDisks(api: ExtraDisksApi, work: Work): Promise<void> {
  const { inputs, state, messages } = work;
  const have = state.spec.disks ?? [];
  const wanted = onTheirDrives(have, inputs.disks);
  if (have.length + wanted.length === 0) return;
  await bring(api, work, have, wanted);
  if (!work.holder) return;
  const held = await api.releaseHolder(work.holder);
  if (held !== undefined) messages.warn(leftInHolder(work.holder, held, inputs.name));
  work.holder = undefined;
}

async function bring(
  api: ExtraDisksApi,
  work: Work,
  have: readonly CloneDisk[],
  wanted: readonly CloneDisk[],
): Promise<void> {
  const { inputs, state, messages } = work;
  const vm = vmOf(work);
  const { disks: _, ...rest } = state.spec;
  const there = bySlot(have);
  const slots = slotsOf(wanted);
  const reached = wanted.map((disk, index) => there.get(slots[index] ?? "") ?? { ...disk, sizeGiB: 0 });
  let lost = lostDisks(have, wanted);
  const note = () => {
    const disks = [...reached, ...lost];
    state.spec = { ...rest, ...(disks.length > 0 && { disks }) };
  };
  note();

  let config = (await api.readConfig(vm.node, vm.vmId)) ?? {};
  for (const disk of lost) {
    await deleteLost(api, work, config, disk);
    lost = lost.filter((one) => one !== disk);
    note();
  }
  for (const [index, disk] of wanted.entries()) {
    const { drive } = disk;
    const slot = slots[index] ?? "";
    const isMissing = config[drive] === undefined;
    if (isMissing) work.holder ??= await api.findHolder();
    if (isMissing && work.holder?.config[slot] !== undefined) {
      messages.report(`giving ${drive} back to ${inputs.name}`);
      await api.takeBack(work.holder, slot, vm, drive);
      config = (await api.readConfig(vm.node, vm.vmId)) ?? {};
      await change(api, work, disk, config);
    } else if (isMissing && work.holder && slotsOfHolder(work.holder).includes(slot)) {
      throw lostOnTheWay(work.holder, vm.vmId, disk);
    } else if (isMissing) {
      messages.report(`adding disk ${diskName(disk)} to ${inputs.name}`);
      await api.addDisk(vm, disk, { onSilence: () => messages.report(`waiting for an answer of ${vm.node}`) });
    } else {
      // A killed run may have got it back from the holder, and not yet to what the config says.
      const wasHeld = work.holder !== undefined && slotsOfHolder(work.holder).includes(slot);
      const isKnown = (there.get(slot)?.sizeGiB ?? 0) > 0 || wasHeld || inputs.adopt === true;
      const isDisk = volumeOf(config, drive) !== undefined;
      if (!isDisk || !(isKnown || isDeepStrictEqual(observedOwnDisk({ ...disk, sizeGiB: 0 }, config), disk)))
        throw inTheWay(work, disk, config);
      await change(api, work, disk, config);
    }
    reached[index] = disk;
    note();
  }
  work.config = undefined;
}
