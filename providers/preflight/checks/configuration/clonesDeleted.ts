import { type Check, type Finding, pass, warn } from "../../finding.ts";
import { namedVms } from "../../namedVms.ts";
import { clonesOf } from "../../needs.ts";
import { oursAmong } from "../../trust.ts";

/** Says which VMs `createClones: false` is going to delete: that is what it means. */
export const clonesDeleted: Check = {
  id: "clones-deleted",
  group: "configuration",
  async run(facts) {
    const { templates, existing, leftOut } = facts.fleet;
    const keys = Object.keys(leftOut);
    if (keys.length === 0) return [];
    const clones = clonesOf({ templates, existing, cloneSets: leftOut });
    const vmIds = new Set(clones.map(({ clone }) => clone.vmId));
    const there = (await facts.guests()).filter(({ vmid }) => vmIds.has(vmid));
    const ours = new Map((await oursAmong(there, facts)).map((guest) => [guest.vmid, guest]));
    // A VMID that another set has now stays with that one.
    for (const { clone } of clonesOf(facts.whole)) ours.delete(clone.vmId);
    const warnings = keys.flatMap((key): Finding[] => {
      const gone = clones.flatMap((one) => (one.key === key ? (ours.get(one.clone.vmId) ?? []) : []));
      if (gone.length === 0) return [];
      const vms = gone.length === 1 ? "1 VM" : `${gone.length} VMs`;
      return [
        warn(
          `createClones is false: ${vms} of cloneSets.${key} ${gone.length === 1 ? "is" : "are"} going to be deleted: ${namedVms(gone)}`,
          {
            path: `cloneSets.${key}.createClones`,
            todo: ["If they are to stay as they are, and no more are to be made: createClones: keep"],
          },
        ),
      ];
    });
    return warnings.length > 0 ? warnings : [pass("there is no clone to delete")];
  },
};
