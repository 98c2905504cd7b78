import type { CloneDisk } from "../../fleet/cloneDisks.ts";
import { datastoreOf, heldVolumes } from "../../proxmox/disks.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { type GuestConfig, readConfig } from "../../proxmox/guests.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";
import { reassignDisk } from "../../proxmox/reassignDisk.ts";
import { listDatastores } from "../../proxmox/storage.ts";
import type { Messages } from "../dynamic/progress.ts";
import type { FoundVm } from "../guest/lookUp.ts";
import type { Run } from "../run/run.ts";
import { disksOfRun } from "./disksOfRun.ts";
import { cannotLook, type Holder, type Kept } from "./holders.ts";
import type { CloneInputs } from "./inputs.ts";
import { bySlot, diskName, volumeOf, whenMadeAnew } from "./ownDisks.ts";
import type { CloneState } from "./state.ts";

/** What the config wants of a clone that is made anew, as far as its disks are concerned. */
export type Next = Pick<CloneInputs, "disks" | "keepDisks" | "places">;

/** The disks that stay, by the drive that they have in the holder: their places, whatever the template's disks are. */
function keptDisks({ spec }: CloneState, next: Next): [string, CloneDisk][] {
  const { kept } = whenMadeAnew(spec.disks, next);
  return [...bySlot(spec.disks)].filter(([, disk]) => kept.includes(disk));
}

function refuse(text: string): never {
  throw new ProxmoxError("cannot-keep", `${text}; nothing was deleted`);
}

interface Keeping {
  run: Run;
  state: CloneState;
  next: Next;
  messages: Messages;
  isReserved: (vmId: number) => boolean;
}

const ownerOf = ({ spec }: CloneState): Kept => ({ ...spec, name: spec.name });

function holderOf({ run, state }: Keeping, node: string): Promise<Holder | undefined> {
  const name = state.spec.name ?? `VM ${state.spec.vmId}`;
  return disksOfRun(run).holders.find(ownerOf(state), [node], (silent) => cannotLook(silent, name));
}

/** The first disk that a VM boots from. */
const bootDisk = (config: GuestConfig): string | undefined =>
  parseProperties(config.boot)
    .get("order")
    ?.split(";")
    .find((drive) => volumeOf(config, drive) !== undefined);

/**
 * Where disks are to be kept, no VM is deleted with one that is neither its template's nor known to be its own: somebody may have moved
 * a disk to another drive, or a killed run may have put it where the state does not know of it.
 */
function assertExplained({ spec, made }: CloneState, config: GuestConfig): void {
  const { vmId } = spec;
  const own = (spec.disks ?? []).filter(({ sizeGiB }) => sizeGiB > 0).map(({ drive }) => drive);
  const known = new Set([...own, ...(made?.drives ?? [bootDisk(config) ?? "scsi0"])]);
  const strange = Object.entries(heldVolumes(config)).filter(
    ([drive]) => !known.has(drive) && !/^(efidisk|tpmstate)\d+$/.test(drive),
  );
  if (strange.length === 0) return;
  const names = strange.map(([drive, volume]) => `${drive} (${volume})`).join(", ");
  refuse(
    `VM ${vmId} has ${names}, which is not known to be its template's or one of extraDisks, and with keepDisks it would be deleted with the VM: put a disk back on the drive that it had, or take it off the VM (qm disk unlink, or move it to another VM) if it is not the clone's`,
  );
}

/** @throws ProxmoxError if the disks that are to be kept cannot be, before anything is done to the VM */
export async function assertKeepable(keeping: Keeping, { node, config }: FoundVm): Promise<void> {
  const { run, state, next } = keeping;
  const { vmId, name = `VM ${vmId}` } = state.spec;
  if (next.keepDisks) assertExplained(state, config);
  const kept = keptDisks(state, next);
  if (kept.length === 0) return;
  const nodes = next.places.map((place) => place.node);
  if (!nodes.includes(node))
    refuse(
      `the disks of ${name} are on node ${node}, and PVE gives them to no VM of another node, but it is to be made anew on ${nodes.join(" or ")}: move it there first, with its template as it was, or make it anew on ${node} first`,
    );
  if (config.parent !== undefined)
    refuse(
      `VM ${vmId} has snapshots (the last is "${config.parent}"), and PVE gives no disk of a snapshot away: delete them first`,
    );
  const holder = await holderOf(keeping, node);
  const stores = await listDatastores(run.client, node);
  for (const [slot, disk] of kept) {
    const volume = volumeOf(config, disk.drive);
    const isHeld = holder?.config[slot] !== undefined;
    if (volume === undefined && !isHeld)
      refuse(
        `${diskName(disk)} of ${name} is to be kept, but VM ${vmId} does not have it${holder ? `, and neither has VM ${holder.vmId}, which holds its disks: \`qm rescan --vmid ${holder.vmId}\` on ${node} finds a volume that a killed task has left` : `; put it back on ${disk.drive}, or take it out of extraDisks if it is gone for good`}`,
      );
    if (volume !== undefined && isHeld)
      refuse(
        `VM ${holder?.vmId} on ${node} holds another ${slot} of ${name} already (${holder?.config[slot]}): take it off that VM first`,
      );
    const store = stores.find(({ storage }) => storage === datastoreOf(volume ?? ""));
    if (volume !== undefined && store?.active !== 1)
      refuse(`datastore ${datastoreOf(volume)} of ${disk.drive} of ${name} is not reachable from node ${node}`);
  }
}

/**
 * Gives the disks that are to be kept to a holder, before the VM is deleted. When it ends well, none of them belongs to the VM
 * any more. Each part can be repeated: what a killed run has moved is in the holder.
 */
export async function keepDisks(keeping: Keeping, node: string): Promise<void> {
  const { run, state, next, messages, isReserved } = keeping;
  const { vmId, name = `VM ${vmId}` } = state.spec;
  const kept = keptDisks(state, next);
  if (kept.length === 0) return;
  const { client } = run;
  const { holders } = disksOfRun(run);
  const vm = { node, vmId };
  const config = (await readConfig(client, node, vmId)) ?? {};
  const here = kept.filter(([, { drive }]) => volumeOf(config, drive) !== undefined);
  let holder = await holderOf(keeping, node);
  const slots = kept.map(([slot]) => slot);
  if (holder) await holders.expect(ownerOf(state), holder, slots);
  else {
    holder = await holders.make(ownerOf(state), node, slots, isReserved);
    messages.report(`VM ${holder.vmId} holds the disks of ${name}`);
  }
  for (const [slot, disk] of here) {
    messages.report(`giving ${disk.drive} of ${name} to VM ${holder.vmId} while it is made anew`);
    const { drive, datastore } = disk;
    const { vmId: toVmId } = holder;
    await run.limiter.run({ node, datastore, onWait: messages.report }, () =>
      reassignDisk(client, vm, { drive, toVmId, toDrive: slot }),
    );
  }
  const [left, held] = await Promise.all([
    readConfig(client, node, vmId),
    readConfig(client, holder.node, holder.vmId),
  ]);
  for (const [slot, disk] of kept) {
    if (volumeOf(left ?? {}, disk.drive) === undefined && volumeOf(held ?? {}, slot) !== undefined) continue;
    refuse(`${diskName(disk)} of ${name} is not in VM ${holder.vmId} on ${node}, which is to hold it`);
  }
}
