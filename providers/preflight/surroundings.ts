import { bridgeUses } from "./deviceNeeds.ts";
import type { Facts } from "./facts.ts";
import type { Surroundings } from "./requirements.ts";

/** The SDN zones of bridges that are not the node's own. */
async function zones({ fleet, interfaces, vnets: listed }: Pick<Facts, "fleet" | "interfaces" | "vnets">) {
  const uses = bridgeUses(fleet);
  const own = await Promise.all(
    [...new Set(uses.map(({ node }) => node))].map((node) => interfaces(node).catch(() => [])),
  );
  const local = new Set(own.flat().map(({ iface }) => iface));
  const vnets = uses.every(({ bridge }) => local.has(bridge)) ? [] : await listed().catch(() => []);
  return (bridge: string) => vnets.find(({ vnet }) => vnet === bridge)?.zone ?? "localnetwork";
}

/** What of the cluster decides which privileges a config needs. */
export async function surroundingsOf(
  facts: Pick<Facts, "fleet" | "version" | "guests" | "interfaces" | "vnets">,
): Promise<Surroundings> {
  const [version, guests, zoneOf] = await Promise.all([facts.version(), facts.guests(), zones(facts)]);
  return { version, zoneOf, guests: new Map(guests.map((guest) => [guest.vmid, guest])) };
}
