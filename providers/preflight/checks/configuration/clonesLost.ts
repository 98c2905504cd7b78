import type { GuestEntry } from "../../../../proxmox/guests.ts";
import type { Facts } from "../../facts.ts";
import { type Check, type Finding, fail, pass, warn } from "../../finding.ts";
import { namedVms } from "../../namedVms.ts";
import { oursAmong } from "../../trust.ts";

/** So many clones may go without a word; a mistake in the config rarely means one clone. */
const FEW = 2;
const MANY = 10;

interface Lost {
  key: string;
  /** Clones that the set had at the last run. */
  had: number;
  vms: GuestEntry[];
}

/** The clones of the last run that the config does not have any more, by set. */
async function lostClones(facts: Facts): Promise<Lost[]> {
  const { cloneSets, leftOut } = facts.whole;
  const wanted = new Set(
    [cloneSets, leftOut]
      .flatMap(Object.values)
      .flatMap(({ clones }) => clones)
      .map(({ vmId }) => vmId),
  );
  const lost = Object.entries(facts.knownSets).flatMap(([key, { vmIds }]) => {
    const gone = vmIds.filter((vmId) => !wanted.has(vmId) && facts.part.hasLostClone(vmId));
    return gone.length > 0 ? [{ key, had: vmIds.length, gone }] : [];
  });
  if (lost.length === 0) return [];
  const guests = new Map((await facts.guests()).map((guest) => [guest.vmid, guest]));
  const found = await Promise.all(
    lost.map(async ({ key, had, gone }) => ({
      key,
      had,
      vms: await oursAmong(
        gone.flatMap((vmId) => guests.get(vmId) ?? []),
        facts,
      ),
    })),
  );
  return found.filter(({ vms }) => vms.length > 0);
}

/**
 * Says which VMs go because they have left the config. Many at once are more likely a slip, a set that is mistyped or a
 * count that lacks a digit, than what is wanted; so they need a word. `createClones: false` is one.
 */
export const clonesLost: Check = {
  id: "clones-lost",
  group: "configuration",
  async run(facts) {
    const { allowDeletes } = facts;
    const lost = await lostClones(facts);
    if (lost.length === 0) return [pass("no clone has left the config")];
    const total = lost.reduce((sum, { vms }) => sum + vms.length, 0);
    const isMost = ({ had, vms }: Lost) => vms.length > FEW && vms.length > had / 2;
    const isRefused = allowDeletes === undefined ? total > MANY || lost.some(isMost) : total > allowDeletes;
    return lost.map(({ key, had, vms }): Finding => {
      const one = vms.length === 1;
      const text = `${vms.length} of ${had} ${had === 1 ? "clone" : "clones"} ${one ? "is" : "are"} no longer in the config, and ${one ? "its VM is" : "their VMs are"} going to be deleted: ${namedVms(vms)}`;
      const path = `cloneSets.${key}`;
      if (!isRefused) return warn(text, { path });
      return fail(`${text}; that many need your permission`, {
        path,
        todo: [
          `If that is meant, say how many clones a run may delete: pulumi config set allowDeletes ${total}`,
          `For one run alone: GOLDEN_FLEET_ALLOW_DELETES=${total}`,
        ],
      });
    });
  },
};
