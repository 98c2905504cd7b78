import { fleetTag } from "../../../../fleet/tags.ts";
import { type Check, type Finding, pass, warn } from "../../finding.ts";
import { clonesOf } from "../../needs.ts";
import { tagsOf } from "../../trust.ts";

/** `9101 to 9103, 9110` */
export function ranges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last && number === last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from} to ${to}`)).join(", ");
}

/** Says how many VMs `createClones: false` is going to delete: that is what it means. */
export const clonesDeleted: Check = {
  id: "clones-deleted",
  group: "configuration",
  async run(facts) {
    const { templates, leftOut } = facts.fleet;
    const keys = Object.keys(leftOut);
    if (keys.length === 0) return [];
    const tag = fleetTag(facts.fleetId);
    const ours = new Set(
      (await facts.guests()).flatMap((guest) =>
        guest.type === "qemu" && tagsOf(guest).includes(tag) ? [guest.vmid] : [],
      ),
    );
    // A VMID that another set has now stays with that one.
    for (const { clone } of clonesOf(facts.fleet)) ours.delete(clone.vmId);
    const clones = clonesOf({ templates, cloneSets: leftOut });
    const warnings = keys.flatMap((key): Finding[] => {
      const gone = clones.flatMap((one) => (one.key === key && ours.has(one.clone.vmId) ? [one.clone.vmId] : []));
      if (gone.length === 0) return [];
      const vms = gone.length === 1 ? "1 VM" : `${gone.length} VMs`;
      return [
        warn(
          `createClones is false: ${vms} of cloneSets.${key} ${gone.length === 1 ? "is" : "are"} going to be deleted (${ranges(gone)})`,
          { path: `cloneSets.${key}.createClones` },
        ),
      ];
    });
    return warnings.length > 0 ? warnings : [pass("there is no clone to delete")];
  },
};
