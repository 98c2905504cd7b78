import ipaddr from "ipaddr.js";
import { type Addressed, addressPlace, type CloneSource, type Fleet, type PlacedClone, sourcesIn } from "../fleet.ts";
import { oncePerPlace, type Problem } from "../problem.ts";
import { originals } from "../replicas.ts";
import { repeated } from "./vmIds.ts";

type Sources = Pick<Fleet, "templates" | "cloneSets">;

/** A clone's network interfaces, the first one's addresses being its own. */
export const interfacesOf = (clone: PlacedClone): Addressed[] => [
  clone,
  ...clone.nics.slice(1).map((nic, index) => ({ ...nic, path: `${clone.path}.nics[${index + 1}]` })),
];

/** Everything in the config that gets an address, with its place. */
export function addressedOf({ templates, cloneSets }: Sources): Addressed[] {
  return [
    ...originals(templates).map(([, { path, cloudInit }]) => ({ ...cloudInit, path: `${path}.cloudInit` })),
    ...Object.values(cloneSets).flatMap(({ clones }) => clones.flatMap(interfacesOf)),
  ];
}

const isStatic = (address: string | undefined): address is string => address?.includes("/") ?? false;

/** The address of `address/prefix`, or of an address alone, in its one canonical spelling. */
export const hostOf = (cidr: string): string => ipaddr.parse(cidr.split("/")[0] ?? "").toNormalizedString();

/** The network and the broadcast address of an IPv4 subnet; none where every address is a host's. */
function notForHosts(address: ipaddr.IPv4 | ipaddr.IPv6, cidr: string, prefix: number): string[] {
  if (!(address instanceof ipaddr.IPv4) || prefix >= 31) return [];
  return [ipaddr.IPv4.networkAddressFromCIDR(cidr), ipaddr.IPv4.broadcastAddressFromCIDR(cidr)].map(String);
}

/** Ranges that no interface of a guest has an address of. */
const NOT_FOR_GUESTS: Readonly<Record<string, string>> = {
  unspecified: "an address that stands for none",
  broadcast: "the broadcast address",
  multicast: "a multicast address",
  loopback: "a loopback address",
  ipv4Mapped: "an IPv4 address written as IPv6",
};

/** What is wrong with one address and its gateway. */
function check(one: Addressed, family: "ip" | "ip6"): Problem[] {
  const gatewayKey = family === "ip" ? "gateway" : "gateway6";
  const { [family]: cidr, [gatewayKey]: gateway } = one;
  if (!isStatic(cidr)) {
    return gateway
      ? [
          {
            path: addressPlace(one, gatewayKey),
            message: `found ${gateway}, but ${family} is ${cidr ?? "not set"}; expected a static ${family} with it`,
          },
        ]
      : [];
  }
  const problems: Problem[] = [];
  const [address, prefix] = ipaddr.parseCIDR(cidr);
  const own = address.toNormalizedString();
  const [network, broadcast] = notForHosts(address, cidr, prefix);
  const special = (one: string) => (one === network ? "network" : one === broadcast ? "broadcast" : undefined);
  const reserved = NOT_FOR_GUESTS[address.range()];
  if (reserved) {
    problems.push({
      path: addressPlace(one, family),
      message: `found ${cidr}, ${reserved}; expected an address that a guest can have`,
    });
  } else if (special(own)) {
    problems.push({
      path: addressPlace(one, family),
      message: `found ${cidr}, the ${special(own)} address of its subnet; expected an address between ${network} and ${broadcast}`,
    });
  }
  if (gateway) {
    const parsed = ipaddr.parse(gateway);
    // A link-local gateway is reachable whatever the prefix.
    const linkLocal = parsed.range() === "linkLocal";
    // So is any in a subnet of one address: PVE's users write it so where the provider routes single addresses.
    const isAlone = prefix === (address.kind() === "ipv4" ? 32 : 128);
    const isReachable = linkLocal || isAlone || (parsed.kind() === address.kind() && parsed.match(address, prefix));
    if (!isReachable) {
      problems.push({
        path: addressPlace(one, gatewayKey),
        message: `found ${gateway}; expected an address in the subnet of ${cidr}`,
      });
    } else if (parsed.toNormalizedString() === own) {
      problems.push({
        path: addressPlace(one, gatewayKey),
        message: `found ${gateway}, the guest's own address; expected the router's`,
      });
    } else if (special(parsed.toNormalizedString())) {
      problems.push({
        path: addressPlace(one, gatewayKey),
        message: `found ${gateway}, the ${special(parsed.toNormalizedString())} address of the subnet; expected the router's`,
      });
    }
  }
  return problems;
}

/** Static addresses are host addresses of their subnet, gateways are in it, and no address is given twice. */
export function validAddresses(fleet: Sources): Problem[] {
  const all = addressedOf(fleet);
  const shapes = all.flatMap((one) => [...check(one, "ip"), ...check(one, "ip6")]);
  const statics = all.flatMap((one) =>
    (["ip", "ip6"] as const).flatMap((field) => {
      const cidr = one[field];
      return isStatic(cidr) ? [{ path: addressPlace(one, field), host: hostOf(cidr) }] : [];
    }),
  );
  const twice = repeated(statics, ({ host }) => host).map(({ item, first }) => ({
    path: item.path,
    message: `${item.host} is taken by ${first.path}; expected an address that nothing else in the config has`,
  }));
  return [...oncePerPlace(shapes), ...oncePerPlace(twice)];
}

const FIELDS = ["ip", "gateway", "ip6", "gateway6"] as const;

/** What takes the place of the addresses of a template and its clones, if there is something. */
function networkConfigOf({ path, vmId, cloudInit, existing }: CloneSource): string | undefined {
  if (!existing) return cloudInit.network && `${path}.cloudInit.network`;
  const [, volume] = /(?:^|,)network=([^,]+)/.exec(existing.cicustom ?? "") ?? [];
  return volume && `the snippet ${volume} of template ${vmId} (${path})`;
}

/** A network-config of the template takes the place of every address, also of those clones' that have none of their own. */
export function effectiveAddresses({ cloneSets, ...all }: Sources & Pick<Fleet, "existing">): Problem[] {
  const sources = sourcesIn(all);
  const ofTemplates = originals(all.templates).map(([, template]) => {
    const { path, cloudInit } = template;
    return { template, interfaces: [{ ...cloudInit, path: `${path}.cloudInit` }] };
  });
  const ofClones = Object.values(cloneSets).flatMap(({ template: key, clones }) => {
    const template = sources[key];
    const heirs = clones.filter(({ cloudInit = [] }) => !cloudInit.some(({ network }) => network !== undefined));
    return template ? [{ template, interfaces: heirs.flatMap(interfacesOf) }] : [];
  });
  const problems = [...ofTemplates, ...ofClones].flatMap(({ template, interfaces }) => {
    const by = networkConfigOf(template);
    if (by === undefined) return [];
    return interfaces.flatMap((one: Addressed) =>
      FIELDS.flatMap((field): Problem[] => {
        const value = one[field];
        if (value === undefined || value === "dhcp") return [];
        const message = `found ${value}, but ${by} replaces it; expected one of the two`;
        return [{ path: addressPlace(one, field), message }];
      }),
    );
  });
  return oncePerPlace(problems);
}
