import { type Check, type Finding, pass, warn } from "../../finding.ts";
import { clonesOf } from "../../needs.ts";
import { ranges } from "../../ranges.ts";
import { oursAmong } from "../../trust.ts";

/** Says how many VMs `createClones: false` is going to delete: that is what it means. */
export const clonesDeleted: Check = {
  id: "clones-deleted",
  group: "configuration",
  async run(facts) {
    const { templates, leftOut } = facts.fleet;
    const keys = Object.keys(leftOut);
    if (keys.length === 0) return [];
    const clones = clonesOf({ templates, cloneSets: leftOut });
    const vmIds = new Set(clones.map(({ clone }) => clone.vmId));
    const there = (await facts.guests()).filter(({ vmid }) => vmIds.has(vmid));
    const ours = new Set((await oursAmong(there, facts)).map(({ vmid }) => vmid));
    // A VMID that another set has now stays with that one.
    for (const { clone } of clonesOf(facts.fleet)) ours.delete(clone.vmId);
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
