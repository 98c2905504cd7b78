import { addressPlace } from "../../../../config/fleet.ts";
import { addressedOf, hostOf, interfacesOf } from "../../../../config/rules/addresses.ts";
import { list } from "../../../../config/text.ts";
import { addressesOf, type Network } from "../../../guest/addresses.ts";
import type { Facts } from "../../facts.ts";
import { type Check, type Finding, fail, orPass, pass, warn } from "../../finding.ts";
import { clonesOf, type KeyedTemplate, templatesOf } from "../../needs.ts";
import { isSettled, LOOKED_AT, otherGuests } from "../../otherGuests.ts";

interface Wanted extends Network {
  path: string;
  host: string;
}

type Nic = { bridge?: string | undefined; vlan?: number | undefined };

/** The static addresses of the config, with the network that their interface hangs on. */
function wantedAddresses({ fleet }: Facts): Wanted[] {
  const networks = new Map<string, Network>();
  const networkOf = ({ template }: KeyedTemplate, index: number, own: Nic = {}): Network => ({
    bridge: own.bridge ?? template.nics[index]?.bridge ?? fleet.cluster.network.bridge,
    vlan: String(own.vlan ?? template.nics[index]?.vlan ?? ""),
  });
  for (const one of templatesOf(fleet)) networks.set(`${one.path}.cloudInit`, networkOf(one, 0));
  for (const { clone, source } of clonesOf(fleet)) {
    if (!source) continue;
    for (const [index, { path }] of interfacesOf(clone).entries())
      networks.set(path, networkOf(source, index, clone.nics[index]));
  }
  return addressedOf(fleet).flatMap((one) =>
    (["ip", "ip6"] as const).flatMap((field): Wanted[] => {
      const { [field]: cidr } = one;
      const network = networks.get(one.path);
      return cidr?.includes("/") && network ? [{ ...network, path: addressPlace(one, field), host: hostOf(cidr) }] : [];
    }),
  );
}

/** No static address of the config is in the config of another guest. */
export const addressFree: Check = {
  id: "address-free",
  group: "configuration",
  async run(facts) {
    const wanted = wantedAddresses(facts);
    if (wanted.length === 0) return [];
    if (await isSettled(facts)) return [pass("no new address since the last run")];
    const byHost = new Map(wanted.map((one) => [one.host, one]));
    const { guests, left, unread } = await otherGuests(facts);
    const problems = guests.flatMap(({ guest, config }): Finding[] =>
      addressesOf(guest, config).flatMap((taken) => {
        const own = byHost.get(taken.host);
        if (!own) return [];
        const who = `${guest.type === "lxc" ? "container" : "VM"} ${guest.vmid} "${config.name ?? config.hostname ?? ""}" on node ${guest.node}`;
        const elsewhere = taken.bridge !== own.bridge || taken.vlan !== own.vlan;
        return [
          elsewhere
            ? warn(
                `${own.host} is the address of ${who} too, on another network (${taken.bridge}${taken.vlan && `, VLAN ${taken.vlan}`})`,
                { path: own.path },
              )
            : fail(`${own.host} is the address of ${who}; expected one that nobody has`, { path: own.path }),
        ];
      }),
    );
    const text = (missed: string) => `not looked at: ${missed}; they may have one of these addresses`;
    if (left > 0) problems.push(warn(text(`${left} guests more than the first ${LOOKED_AT}`)));
    if (unread.length > 0) problems.push(warn(text(list(unread))));
    return orPass(problems, `${wanted.length} addresses are in no other guest's config`);
  },
};
