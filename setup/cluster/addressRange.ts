import ipaddr from "ipaddr.js";
import { parseRange } from "../../config/addressRange.ts";
import { isIpv4, isIpv6 } from "../../config/fields.ts";
import type { UsedAddress } from "../../providers/guest/usedAddresses.ts";

/** What is wrong with a range of addresses for clones. */
export interface RangeProblem {
  /** `fail`: it cannot be; `warn`: it may be what the user wants. */
  severity: "fail" | "warn";
  text: string;
}

/** What a range is held against. */
export interface RangeContext {
  used?: readonly UsedAddress[];
  gateway?: string;
  /** The node's own network on the bridge, `10.0.0.11/24`. */
  bridgeCidr?: string;
}

const fail = (text: string): RangeProblem => ({ severity: "fail", text });
const warn = (text: string): RangeProblem => ({ severity: "warn", text });

/**
 * Looks at a range before it goes into a config: its form, its size, who has one of its addresses, and the gateway.
 *
 * @param range `10.0.0.21-10.0.0.70/24`
 * @param count addresses that are needed
 */
export function checkRange(
  range: string,
  count: number,
  { used = [], gateway, bridgeCidr }: RangeContext = {},
): RangeProblem[] {
  const family = range.includes(":") ? "ipv6" : "ipv4";
  const parsed = parseRange(range.trim(), family);
  if (!parsed) {
    const example = family === "ipv4" ? "10.0.0.21-10.0.0.70/24" : "fd00::21-fd00::70/64";
    return [fail(`found "${range}"; expected first-last/prefix, all of one subnet, for example ${example}`)];
  }
  if (parsed.size < count) return [fail(`${range} has ${parsed.size} addresses; ${count} are needed`)];
  const addresses = Array.from({ length: count }, (_, index) => parsed.at(index));
  const hosts = addresses.map((cidr) => ipaddr.parseCIDR(cidr)[0].toNormalizedString());
  const subnet = addresses[0] ?? "";
  const problems: RangeProblem[] = [];
  const taken = new Map(used.map((one) => [one.address, one]));
  for (const host of hosts) {
    const who = taken.get(host);
    if (who)
      problems.push(fail(`${host} is the address of ${who.owner}${who.by === "agent" ? ", as its agent says" : ""}`));
  }
  for (const [what, host] of reserved(subnet))
    if (hosts.includes(host)) problems.push(fail(`${host} is the ${what} of its subnet`));
  return [...problems, ...gatewayProblems(gateway, subnet, hosts), ...otherNetwork(bridgeCidr, subnet)];
}

/** Network and broadcast address of an IPv4 subnet. */
function reserved(cidr: string): [string, string][] {
  const [address, prefix] = ipaddr.parseCIDR(cidr);
  if (!(address instanceof ipaddr.IPv4) || prefix >= 31) return [];
  return [
    ["network address", String(ipaddr.IPv4.networkAddressFromCIDR(cidr))],
    ["broadcast address", String(ipaddr.IPv4.broadcastAddressFromCIDR(cidr))],
  ];
}

const isIn = (address: string, cidr: string): boolean => {
  const [one, net] = [ipaddr.parse(address), ipaddr.parseCIDR(cidr)];
  return one.kind() === net[0].kind() && one.match(net as [ipaddr.IPv4, number] & [ipaddr.IPv6, number]);
};

function gatewayProblems(gateway: string | undefined, cidr: string, hosts: readonly string[]): RangeProblem[] {
  if (!gateway) return [warn("without a gateway the clones reach their own subnet alone")];
  if (!isIpv4(gateway) && !isIpv6(gateway)) return [fail(`found the gateway "${gateway}"; expected an address`)];
  if (!isIn(gateway, cidr)) return [fail(`the gateway ${gateway} is not in the subnet of the range`)];
  const own = ipaddr.parse(gateway).toNormalizedString();
  return hosts.includes(own) ? [fail(`the gateway ${gateway} is in the range`)] : [];
}

function otherNetwork(bridgeCidr: string | undefined, cidr: string): RangeProblem[] {
  if (!bridgeCidr) return [];
  const [address] = ipaddr.parseCIDR(cidr);
  const [node] = ipaddr.parseCIDR(bridgeCidr);
  if (address.kind() !== node.kind() || isIn(address.toString(), bridgeCidr)) return [];
  return [
    warn(`the range is not in the network that the node has on the bridge (${bridgeCidr}); another VLAN, perhaps`),
  ];
}
