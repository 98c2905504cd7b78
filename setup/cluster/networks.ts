import type { PveClient } from "../../proxmox/client.ts";
import { listInterfaces, listVnets, type NetworkInterface } from "../../proxmox/cluster.ts";
import { ifAllowed } from "./nodes.ts";

/** A bridge of a node, or a vnet of SDN. */
export interface Bridge {
  /** What goes into `network.bridge`. */
  name: string;
  kind: "bridge" | "OVSBridge" | "vnet";
  /** Of the administrator: a bridge's comment, a vnet's alias. */
  comment?: string;
  /** SDN zone of a vnet. */
  zone?: string;
  active?: boolean;
  vlanAware?: boolean;
  /** The node's own network there, `10.0.0.11/24`; the guests' usually is the same. */
  cidr?: string;
  /** The node's default gateway, if it is on this network. */
  gateway?: string;
  cidr6?: string;
  gateway6?: string;
}

/** Bridges and vnets of a node that the login may use; the one with the node's default gateway first. */
export async function listBridges(client: PveClient, node: string): Promise<Bridge[]> {
  const [plain, all, vnets] = await Promise.all([
    listInterfaces(client, node),
    // With the vnets, which the plain list leaves out.
    listInterfaces(client, node, "any_bridge"),
    ifAllowed(listVnets(client)),
  ]);
  const own = new Map(plain.map((one) => [one.iface, one]));
  return all
    .map(({ iface, ...rest }): Bridge => {
      const vnet = vnets?.find((one) => one.vnet === iface);
      const isVnet = vnet !== undefined || !own.has(iface);
      return { name: iface, ...bridge({ ...rest, ...own.get(iface), iface }, isVnet), ...(vnet && sdn(vnet)) };
    })
    .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, undefined, { numeric: true }));
}

const rank = ({ gateway, gateway6, cidr, active = true }: Bridge): number =>
  (active ? 0 : 10) + (gateway ? 0 : gateway6 ? 1 : cidr ? 2 : 3);

const sdn = ({ zone, alias }: { zone?: string; alias?: string }): Partial<Bridge> => ({
  ...(zone && { zone }),
  ...(alias && { comment: alias }),
});

function bridge(one: NetworkInterface, isVnet: boolean): Omit<Bridge, "name"> {
  const { type, active, comments, cidr, gateway, cidr6, gateway6 } = one;
  const comment = comments?.trim();
  return {
    kind: isVnet ? "vnet" : type === "OVSBridge" ? "OVSBridge" : "bridge",
    ...(comment && { comment }),
    ...(active !== undefined && { active: active === 1 }),
    ...(one.bridge_vlan_aware !== undefined && { vlanAware: Number(one.bridge_vlan_aware) === 1 }),
    ...(cidr && { cidr }),
    ...(gateway && { gateway }),
    ...(cidr6 && { cidr6 }),
    ...(gateway6 && { gateway6 }),
  };
}
