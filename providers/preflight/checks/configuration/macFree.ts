import { macsOf } from "../../../../config/rules/macs.ts";
import type { GuestConfig } from "../../../../proxmox/guests.ts";
import { parseProperties } from "../../../../proxmox/propertyString.ts";
import { type Check, type Finding, fail, orPass, pass } from "../../finding.ts";
import { activeOf } from "../../needs.ts";
import { isSettled, otherGuests } from "../../otherGuests.ts";

/** The MAC addresses of a guest: a VM's stands for its card, a container's has a key of its own. */
export function macsIn(config: GuestConfig): string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    if (!/^net\d+$/.test(key)) return [];
    const fields = parseProperties(value);
    const [first] = fields.values();
    return [(fields.get("hwaddr") ?? first ?? "").toUpperCase()];
  });
}

/** No MAC address of the config is another guest's. */
export const macFree: Check = {
  id: "mac-free",
  group: "configuration",
  async run(facts) {
    const wanted = new Map(macsOf(activeOf(facts.fleet)).map(({ mac, path }) => [mac, path]));
    if (wanted.size === 0) return [];
    if (await isSettled(facts)) return [pass("no new MAC address since the last run")];
    const { guests } = await otherGuests(facts);
    const problems = guests.flatMap(({ guest, config }): Finding[] =>
      macsIn(config).flatMap((mac) => {
        const path = wanted.get(mac);
        const who = `${guest.type === "lxc" ? "container" : "VM"} ${guest.vmid} "${config.name ?? config.hostname ?? ""}" on node ${guest.node}`;
        return path === undefined
          ? []
          : [fail(`${mac} is the MAC address of ${who}; expected one that nobody has`, { path })];
      }),
    );
    return orPass(problems, "no other guest has a MAC address of the config");
  },
};
