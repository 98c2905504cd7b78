import { ownerOf } from "../../../../fleet/ownership.ts";
import { type Check, each, fail, orPass, warn } from "../../finding.ts";

/** A template that was made elsewhere is not this stack's own, which is deleted when its key leaves the config. */
export const existingTemplate: Check = {
  id: "existing-template",
  group: "resources",
  async run(facts) {
    const wanted = Object.values(facts.whole.existing);
    if (wanted.length === 0) return [];
    const guests = new Map((await facts.guests()).map((guest) => [guest.vmid, guest]));
    const problems = await each(wanted, async ({ vmId, path, existing: { missing } }) => {
      const stays = "its clones stay as they are, and no new one can be made";
      if (missing !== undefined) return [warn(`${missing}; ${stays}`, { path: `${path}.existing` })];
      const guest = guests.get(vmId);
      const config = guest && (await facts.guestConfig(guest));
      if (typeof config !== "object" || ownerOf(config.description, vmId, facts.fleetId) !== "ours") return [];
      const text = `VM ${vmId} is one of this stack's own; expected a template that it did not make`;
      const todo = ["Give it a key of its own with what it is made from, as it had before: then it stays."];
      return [fail(text, { path: `${path}.existing`, todo })];
    });
    return orPass(
      problems,
      `${wanted.length === 1 ? "1 template" : `${wanted.length} templates`} made elsewhere can be cloned`,
    );
  },
};
