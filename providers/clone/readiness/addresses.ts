import ipaddr from "ipaddr.js";
import type { GuestInterface } from "../../../proxmox/agent.ts";

/** A guest's addresses without prefix, by interface, in the guest's order. */
export type Addresses = Record<string, string[]>;

/** Interfaces that containers, tunnels and the guest's own VMs bring along: nobody outside reaches what is on them. */
const INTERNAL = /^(lo\d*$|docker|br-|veth|cni|flannel|cali|virbr|tunl|kube-ipvs|podman|lxc|lxdbr)/;

/** Addresses that mean the host itself, or only that no DHCP server or router has answered yet. */
const NOWHERE = new Set(["loopback", "linkLocal", "unspecified"]);

const parse = (text: string) => ipaddr.parse(text.split("%")[0] ?? text);

/** The interfaces by which a guest is in a network, whether they have an address or not. */
export const outward = (interfaces: readonly GuestInterface[]): GuestInterface[] =>
  interfaces.filter(({ name }) => !INTERNAL.test(name));

/** The addresses that others reach a guest at; an interface that has none is left out. */
export function addressesOf(interfaces: readonly GuestInterface[]): Addresses {
  return Object.fromEntries(
    outward(interfaces).flatMap(({ name, "ip-addresses": entries = [] }) => {
      const found = entries
        .map((entry) => entry["ip-address"])
        .filter((text) => ipaddr.isValid(text) && !NOWHERE.has(parse(text).range()));
      return found.length > 0 ? [[name, found]] : [];
    }),
  );
}

export const isIpv4 = (address: string): boolean => ipaddr.IPv4.isValid(address);

/** The address fields of a clone's first network interface, as in the config. */
export interface AddressConfig {
  /** `dhcp`, or address/prefix. */
  ip?: string | undefined;
  /** `dhcp`, `auto`, or address/prefix. */
  ip6?: string | undefined;
}

/**
 * The address to reach a guest at: the static one of the config if the guest has it; else one in the config's subnets;
 * else the first IPv4, then the first IPv6, of the first interface that has any. undefined if there is none.
 */
export function primaryAddress(addresses: Addresses, { ip, ip6 }: AddressConfig): string | undefined {
  const told = Object.values(addresses)
    .flat()
    .map((text) => ({ text, address: parse(text) }));
  const wanted = [ip, ip6].flatMap((text) => (text && ipaddr.isValidCIDR(text) ? [ipaddr.parseCIDR(text)] : []));
  const own = wanted.map(([address]) => told.find((one) => one.address.toString() === address.toString()));
  const near = wanted.map(([network, prefix]) =>
    told.find(({ address }) => address.kind() === network.kind() && address.match(network, prefix)),
  );
  const first = Object.values(addresses)[0] ?? [];
  return [...own, ...near].find((one) => one !== undefined)?.text ?? first.find(isIpv4) ?? first[0];
}
