import pLimit from "p-limit";
import type { CloneDisk } from "../../fleet/cloneDisks.ts";
import { type Mark, notes, parseMark, withMark } from "../../fleet/ownership.ts";
import { fleetTag } from "../../fleet/tags.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { isVmIdTaken, nextVmId } from "../../proxmox/cluster.ts";
import { heldVolumes } from "../../proxmox/disks.ts";
import { answerOf, ProxmoxError } from "../../proxmox/errors.ts";
import {
  createVm,
  type GuestConfig,
  isUnreachable,
  listGuests,
  listNodeVms,
  readConfig,
  writeConfig,
} from "../../proxmox/guests.ts";
import { removeVm } from "../../proxmox/removeVm.ts";
import { runTask } from "../../proxmox/task.ts";
import { Cache } from "../run/cache.ts";
import type { CloneInputs } from "./inputs.ts";
import { diskName } from "./ownDisks.ts";

/** A small VM that holds the disks of a clone while the clone is made anew. It never runs, and has no disks of its own. */
export interface Holder {
  node: string;
  vmId: number;
  config: GuestConfig;
}

export type Kept = Pick<CloneInputs, "stack" | "fleetId" | "vmId" | "pool"> & { name?: string | undefined };

/** How often a VMID that was free may be taken by somebody else. */
const TRIES = 5;

const nameOf = (vmId: number): string => `disks-of-${vmId}`;

/** @param slots the drives of the holder that are to have disks, or had them */
const markOf = ({ stack, fleetId, vmId }: Kept, holder: number, slots: readonly string[]): Mark => ({
  fleetId,
  stack,
  resource: `disksOf.${vmId}`,
  vmId: holder,
  content: slots.join(","),
});

/** The drives of a holder that have, or had, disks of its clone: one that has none now has given it back, or has lost it. */
export const slotsOfHolder = ({ config, vmId }: Holder): string[] =>
  (parseMark(config.description, vmId)?.content ?? "").split(",").filter(Boolean);

/** The clone whose disks a VM holds; undefined: it is no holder of this fleet. */
export function heldFor({ description }: GuestConfig, vmId: number, fleetId: string): number | undefined {
  const mark = parseMark(description, vmId);
  const [, clone] = /^disksOf\.(\d+)$/.exec(mark?.resource ?? "") ?? [];
  return mark?.vmId === vmId && mark.fleetId === fleetId && clone !== undefined ? Number(clone) : undefined;
}

/** The clone that was deleted for good and left disks in a VM of this fleet; undefined: there are none. */
export function leftBy({ description }: GuestConfig, vmId: number, fleetId: string): number | undefined {
  const mark = parseMark(description, vmId);
  const [, clone] = /^disksLeftBy\.(\d+)$/.exec(mark?.resource ?? "") ?? [];
  return mark?.vmId === vmId && mark.fleetId === fleetId && clone !== undefined ? Number(clone) : undefined;
}

/** `scsi0 (local-lvm:vm-105-disk-0)` */
export const heldText = (config: GuestConfig): string =>
  Object.entries(heldVolumes(config))
    .map(([drive, volume]) => `${drive} (${volume})`)
    .join(", ");

const isTaken = (error: unknown): boolean => /already exists|File exists/i.test(answerOf(error));

/**
 * The holders of this stack. They are found by their name, and known by the mark in their notes. The nodes are asked once in a
 * run for those that an earlier run has left; those that this run makes are remembered.
 */
export class Holders {
  readonly #client: PveClient;
  readonly #made = new Map<number, { node: string; vmId: number }>();
  readonly #lists = new Cache<{ node: string; vmId: number; name: string }[]>();
  readonly #oneAtATime = pLimit(1);

  constructor(client: PveClient) {
    this.#client = client;
  }

  /**
   * The holder of a clone's disks, if there is one.
   *
   * @param nodes where the clone may be
   * @param silence told of a node that does not answer, and so may have it
   */
  async find(of: Kept, nodes: readonly string[], silence: (node: string) => void): Promise<Holder | undefined> {
    const made = this.#made.get(of.vmId);
    const found = made ? [made] : await this.#named(nameOf(of.vmId), nodes, silence);
    for (const { node, vmId } of found) {
      const config = await readConfig(this.#client, node, vmId);
      if (config && heldFor(config, vmId, of.fleetId) === of.vmId) return { node, vmId, config };
    }
    return undefined;
  }

  async #named(name: string, nodes: readonly string[], silence: (node: string) => void) {
    const ofNode = (node: string) =>
      this.#lists.get(node, async () =>
        (await listNodeVms(this.#client, node)).map((vm) => ({ node, vmId: vm.vmid, name: vm.name ?? "" })),
      );
    // On a node that the config does not name any more.
    const elsewhere = this.#lists.get("", async () =>
      (await listGuests(this.#client)).flatMap(({ node, vmid, type, name: own = "" }) =>
        type === "qemu" ? [{ node, vmId: vmid, name: own }] : [],
      ),
    );
    const lists = await Promise.all([
      ...[...new Set(nodes)].map((node) =>
        ofNode(node).catch((error) => {
          if (!isUnreachable(error)) throw error;
          silence(node);
          return [];
        }),
      ),
      elsewhere,
    ]);
    return lists.flat().filter((vm) => vm.name === name);
  }

  /**
   * Makes a holder on a node, under a VMID that is free.
   *
   * @param slots the drives that its disks are to have
   * @param isReserved whether a VMID is meant for something else
   */
  make(of: Kept, node: string, slots: readonly string[], isReserved: (vmId: number) => boolean): Promise<Holder> {
    return this.#oneAtATime(async () => {
      for (let tries = 1; ; tries++) {
        const vmId = await this.#freeVmId(isReserved);
        try {
          return await this.#create(of, node, vmId, slots);
        } catch (error) {
          if (!isTaken(error) || tries === TRIES) throw error;
        }
      }
    });
  }

  async #freeVmId(isReserved: (vmId: number) => boolean): Promise<number> {
    let vmId = await nextVmId(this.#client);
    while (isReserved(vmId)) {
      do vmId++;
      while (isReserved(vmId) || (await isVmIdTaken(this.#client, vmId)));
    }
    return vmId;
  }

  async #create(of: Kept, node: string, vmId: number, slots: readonly string[]): Promise<Holder> {
    const { name = `VM ${of.vmId}`, pool, fleetId } = of;
    const text = `Disks of ${name} (VM ${of.vmId}), which Pulumi puts back when it has made that clone anew. Do not delete.`;
    const read = () => readConfig(this.#client, node, vmId);
    await runTask(this.#client, {
      node,
      vmId,
      send: () =>
        createVm(this.#client, node, {
          vmid: vmId,
          name: nameOf(of.vmId),
          description: notes(text, markOf(of, vmId, slots)),
          tags: fleetTag(fleetId),
          protection: true,
          ...(pool && { pool }),
        }),
      isDone: async () => heldFor((await read()) ?? {}, vmId, fleetId) === of.vmId,
    });
    this.#made.set(of.vmId, { node, vmId });
    return { node, vmId, config: (await read()) ?? {} };
  }

  /** Notes in a holder which disks it is to have. */
  async expect(of: Kept, { node, vmId, config }: Holder, slots: readonly string[]): Promise<void> {
    const description = withMark(config.description ?? "", markOf(of, vmId, slots));
    if (description !== config.description) await writeConfig(this.#client, node, vmId, { description });
  }

  /**
   * Deletes a holder that holds nothing any more. PVE protects it: the protection goes by a request that holds only for the
   * config that was looked at.
   *
   * @returns the disks that it still holds, in words; then it stays
   */
  async release(of: Kept, { node, vmId }: Holder): Promise<string | undefined> {
    const config = await readConfig(this.#client, node, vmId);
    if (config && heldFor(config, vmId, of.fleetId) === of.vmId) {
      const held = heldText(config);
      if (held !== "") return held;
      await writeConfig(this.#client, node, vmId, { protection: false, digest: config.digest });
      await removeVm(this.#client, { node, vmId });
    }
    this.#made.delete(of.vmId);
    return undefined;
  }

  /** Has a holder be nobody's any more: another clone of the same VMID is not to get the disks of one that is gone for good. */
  async leave(of: Kept, { node, vmId }: Holder): Promise<void> {
    const config = (await readConfig(this.#client, node, vmId)) ?? {};
    const mark = { ...markOf(of, vmId, slotsOfHolder({ node, vmId, config })), resource: `disksLeftBy.${of.vmId}` };
    await writeConfig(this.#client, node, vmId, { description: withMark(config.description ?? "", mark) });
    this.#made.delete(of.vmId);
  }
}

/** What somebody has to know of disks that are left in a holder. */
export const leftInHolder = ({ node, vmId }: Pick<Holder, "node" | "vmId">, held: string, name: string): string =>
  `VM ${vmId} (on ${node}) still holds ${held} of ${name}, and nothing in the config is to get it; it is left alone. If nobody needs it, run on ${node}: qm set ${vmId} --protection 0 && qm destroy ${vmId} --purge`;

/** @throws ProxmoxError the disks of a clone cannot be looked for */
export function cannotLook(node: string, name: string): never {
  throw new ProxmoxError(
    "unreachable",
    `node ${node} does not answer, so it is not known whether disks of ${name} wait there (keepDisks); run \`pulumi up\` again when the node is back, or take it out of \`nodes\``,
  );
}

/** A task that was killed in the middle has left a disk in nobody's config. */
export const lostOnTheWay = ({ node, vmId }: Pick<Holder, "node" | "vmId">, clone: number, disk: CloneDisk) =>
  new ProxmoxError(
    "lost-on-the-way",
    `${diskName(disk)} was in VM ${vmId} and is to be given back to VM ${clone}, but neither has it now: a task of PVE was killed on the way. On ${node}, \`qm rescan --vmid ${clone}\` lists its volume as unused; attach it with: qm set ${clone} --${[`${disk.drive} <volume>`, disk.options].filter(Boolean).join(",")}`,
  );

/** The disks of a clone are not where it is. */
export const elsewhere = ({ node, vmId }: Pick<Holder, "node" | "vmId">, at: string, name: string): ProxmoxError =>
  new ProxmoxError(
    "elsewhere",
    `the disks of ${name} wait in VM ${vmId} on node ${node}, and PVE gives them to no VM of another node, but ${name} is on ${at}: migrate VM ${vmId} there`,
  );
