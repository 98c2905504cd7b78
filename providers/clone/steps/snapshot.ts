import { notes, parseMark } from "../../../fleet/ownership.ts";
import { answerOf, ProxmoxError } from "../../../proxmox/errors.ts";
import type { Snapshot } from "../../../proxmox/snapshots.ts";
import { riskyChanges } from "../diff.ts";
import type { CloneInputs } from "../inputs.ts";
import { markOf } from "../mark.ts";
import type { CloneState } from "../state.ts";
import { madeOf, vmOf, type Work } from "./work.ts";

type Vm = { node: string; vmId: number };

export interface SnapshotApi {
  canSnapshot(vm: Vm): Promise<boolean>;
  snapshots(vm: Vm): Promise<Snapshot[]>;
  takeSnapshot(vm: Vm, snapshot: { name: string; description: string }): Promise<unknown>;
  removeSnapshot(vm: Vm, name: string): Promise<unknown>;
}

/** How the names of our snapshots begin. */
const PREFIX = "fleet-";
/** PVE's longest name of a snapshot: a letter first, then letters, digits, `_` and `-`. */
const LONGEST = 40;

/** What a snapshot is called that is taken before changes: when, and before the first of what. */
export function snapshotName(changes: readonly string[], now: Date): string {
  const time = now
    .toISOString()
    .replace(/\.\d+Z$/, "")
    .replaceAll(/[-:]/g, "")
    .replace("T", "-");
  const [first = "change"] = changes;
  return `${PREFIX}${time}-${first.replaceAll(/[^A-Za-z0-9]+/g, "_")}`.slice(0, LONGEST);
}

/** Whether a snapshot is one that this stack took of this VM: its name and its mark must both say so. */
const isOurs = ({ name, description }: Snapshot, { fleetId, vmId }: CloneInputs): boolean => {
  const mark = parseMark(description, vmId);
  return name.startsWith(PREFIX) && mark?.fleetId === fleetId && mark.vmId === vmId;
};

/** The changes before which there is to be a snapshot; none: there need be none. */
const changesOf = ({ inputs }: Work, before: CloneState): string[] =>
  inputs.snapshotDays === undefined ? [] : riskyChanges(before, inputs);

/** Sees to it, before anything is changed, that a snapshot can be taken. */
export async function checkSnapshot(api: SnapshotApi, work: Work, before: CloneState): Promise<void> {
  const changes = changesOf(work, before);
  if (changes.length === 0 || (await api.canSnapshot(vmOf(work)))) return;
  throw new ProxmoxError(
    "no-snapshot",
    `cloneSets.${work.inputs.set}.snapshotBefore: update asks for a snapshot before ${changes.join(", ")} changes, and PVE cannot take one of this VM: one of its disks (EFI disk and TPM state among them) is on a datastore or in a format without snapshots, for example raw on a directory, or LVM that is not thin; nothing was changed. Move it to LVM-thin, ZFS, Ceph or qcow2, or take snapshotBefore out`,
  );
}

/** Removes our snapshots that are older than the config keeps them. */
async function sweep(api: SnapshotApi, work: Work, all: readonly Snapshot[], now: Date): Promise<void> {
  const { inputs, messages } = work;
  const oldest = now.getTime() / 1000 - (inputs.snapshotDays ?? 0) * 24 * 3600;
  const over = all.filter((one) => isOurs(one, inputs) && one.snaptime !== undefined && one.snaptime < oldest);
  for (const { name } of over) {
    messages.report(`removing snapshot ${name} of ${inputs.name}`);
    try {
      await api.removeSnapshot(vmOf(work), name);
    } catch (error) {
      messages.warn(`snapshot ${name} of ${inputs.name} could not be removed, and stays: ${answerOf(error)}`);
    }
  }
}

/** The last snapshot of a VM, if there is one. */
const lastOf = (all: readonly Snapshot[]): Snapshot | undefined => {
  const parent = all.find(({ name }) => name === "current")?.parent;
  return all.find(({ name, snapstate }) => name === parent && snapstate === undefined);
};

/** Takes a snapshot before changes that may cost data, and removes our old ones. */
export async function snapshot(api: SnapshotApi, work: Work, before: CloneState, now = new Date()): Promise<void> {
  const { inputs, messages } = work;
  const changes = changesOf(work, before);
  if (changes.length === 0) return;
  const vm = vmOf(work);
  const description = notes(`before a change by pulumi up: ${changes.join(", ")}`, markOf(inputs, madeOf(work)));
  const all = await api.snapshots(vm);
  // What the last run did not get done it has taken one for: else each try would leave another one.
  const isTriedAgain = before.status === "failed" || changes.includes("reboot");
  const last = isTriedAgain ? lastOf(all) : undefined;
  const enough = last && isOurs(last, inputs) && last.description?.trim() === description ? last : undefined;
  if (!enough) {
    const name = snapshotName(changes, now);
    messages.report(`taking snapshot ${name} of ${inputs.name}`);
    await api.takeSnapshot(vm, { name, description });
  }
  await sweep(
    api,
    work,
    all.filter((one) => one !== enough),
    now,
  );
}
