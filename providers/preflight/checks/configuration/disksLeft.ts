import { heldFor, heldText, leftBy } from "../../../clone/holders.ts";
import { type Check, each, note, warn } from "../../finding.ts";
import { clonesOf } from "../../needs.ts";

/** Says which kept disks wait in a VM that holds them: a run was killed, or the clone has left the config meanwhile. */
export const disksLeft: Check = {
  id: "disks-left",
  group: "configuration",
  async run(facts) {
    const named = (await facts.guests()).filter(
      ({ name, type }) => type === "qemu" && /^disks-of-\d+$/.test(name ?? ""),
    );
    const clones = new Map(clonesOf(facts.whole).map(({ clone }) => [clone.vmId, clone]));
    return each(named, async (guest) => {
      const config = await facts.guestConfig(guest);
      if (config === "absent" || config === "unreachable") return [];
      const gone = leftBy(config, guest.vmid, facts.fleetId);
      const vmId = gone ?? heldFor(config, guest.vmid, facts.fleetId);
      const held = heldText(config);
      if (vmId === undefined || held === "") return [];
      const holder = `VM ${guest.vmid} on node ${guest.node} holds ${held} of VM ${vmId}`;
      if (gone !== undefined)
        return [
          warn(`${holder}, which was deleted for good: nothing gets it`, {
            todo: [
              `to give one to a VM on ${guest.node}: qm disk move ${guest.vmid} <drive> --target-vmid <VMID> --target-disk <drive>`,
              `if nobody needs it, on ${guest.node}: qm set ${guest.vmid} --protection 0 && qm destroy ${guest.vmid} --purge`,
            ],
          }),
        ];
      const clone = clones.get(vmId);
      if (clone?.extraDisks?.length) return [note(`${holder}, which was to be made anew: \`pulumi up\` gives it back`)];
      return [
        warn(`${holder}, which the config does not have with extraDisks any more: nothing gets it`, {
          todo: [
            `put the clone and its extraDisks back into the config, and run \`pulumi up\``,
            `if nobody needs it, on ${guest.node}: qm set ${guest.vmid} --protection 0 && qm destroy ${guest.vmid} --purge`,
          ],
        }),
      ];
    });
  },
};
