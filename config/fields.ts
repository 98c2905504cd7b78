import ipaddr from "ipaddr.js";
import { z } from "zod";
import { bridgeId, nodeName } from "./formats.ts";

/** Types of fields that several sections of the config share. The error of each says what would be right. */

const LABEL = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;

/** A VM's name, which is also the guest's host name (`dns-name` in PVE::JSONSchema; the lengths are those of DNS). */
export const hostName = z
  .string()
  .max(253)
  // cloud-init turns a name that is an address into "ip-10-0-0-1".
  .refine((name) => name.split(".").every((label) => LABEL.test(label)) && !ipaddr.IPv4.isValidFourPartDecimal(name), {
    error:
      "expected a host name: letters, digits and hyphens, not starting or ending with a hyphen, 63 at most a label",
  });

/** The key of a template or clone set. It becomes part of the names of Pulumi resources. */
export const key = z
  .string()
  .regex(/^[a-zA-Z][a-zA-Z0-9-]{0,62}$/, {
    error: "expected a short name: a letter first, then letters, digits and hyphens, 63 at most",
  })
  // Every object has these; as keys they would be found where nobody put them.
  .refine((text) => !(text in {}), {
    error: "expected another name: JavaScript has a meaning of its own for this one",
  });

export const isIpv4 = (text: string): boolean => ipaddr.IPv4.isValidFourPartDecimal(text);
/** Without a zone (`%eth0`), which would name an interface of one machine. */
export const isIpv6 = (text: string): boolean => ipaddr.IPv6.isValid(text) && !text.includes("%");

export const ip = z.string().refine((text) => isIpv4(text) || isIpv6(text), {
  error: "expected an IPv4 or IPv6 address, for example 10.0.0.1",
});

/** PVE refuses shorter prefixes. */
export const SHORTEST_PREFIX = 8;

const isCidr = (kind: "ipv4" | "ipv6") => (text: string) => {
  const [address = "", prefix, ...rest] = text.split("/");
  if (rest.length > 0 || !/^\d{1,3}$/.test(prefix ?? "") || Number(prefix) < SHORTEST_PREFIX) return false;
  return kind === "ipv4" ? isIpv4(address) && Number(prefix) <= 32 : isIpv6(address) && Number(prefix) <= 128;
};

const oneOf = (word: string, test: (text: string) => boolean) => (text: string) => text === word || test(text);

/** The IPv4 part of a guest's network interface (PVE: `ipconfigN`, `ip=` and `gw=`). */
export const ipv4 = z.string().refine(oneOf("dhcp", isCidr("ipv4")), {
  error: 'expected "dhcp" or an IPv4 address with prefix, for example 10.0.0.21/24',
});

/** The IPv6 part of a guest's network interface (PVE: `ipconfigN`, `ip6=` and `gw6=`). */
export const ipv6 = z.string().refine((text) => text === "auto" || oneOf("dhcp", isCidr("ipv6"))(text), {
  error: 'expected "auto" (SLAAC), "dhcp" or an IPv6 address with prefix, for example 2001:db8::21/64',
});

export const gateway4 = z.string().refine(isIpv4, {
  error: "expected an IPv4 address, for example 10.0.0.1",
});

export const gateway6 = z.string().refine(isIpv6, {
  error: "expected an IPv6 address, for example 2001:db8::1",
});

/** The four address fields that a template's and a clone's first network interface share. */
export const addressing = {
  ip: ipv4
    .default("dhcp")
    .describe("IPv4 of the first network interface: dhcp, or address/prefix (PVE: ipconfig0 ip=)"),
  gateway: gateway4.optional().describe("IPv4 gateway, only with a static `ip` (PVE: ipconfig0 gw=)"),
  ip6: ipv6.optional().describe("IPv6: auto (SLAAC), dhcp, or address/prefix (PVE: ipconfig0 ip6=)"),
  gateway6: gateway6.optional().describe("IPv6 gateway, only with a static `ip6` (PVE: ipconfig0 gw6=)"),
};

/** Names of nodes, each once. */
export const nodeNames = z
  .array(nodeName)
  .min(1)
  .refine((names) => new Set(names).size === names.length, { error: "expected each node once" });

export const bridge = bridgeId.optional();
export const vlan = z.int().min(1).max(4094).optional();
export const cores = z.int().min(1).max(512);
export const memoryMiB = z.int().min(16).max(4_194_304);
export const diskGiB = z.int().min(1).max(131_072);

/** Notes of a VM (PVE: `description`); the ownership mark is added below them. */
export const notes = z.string().max(4096);

export const dns = z.strictObject({
  servers: z.array(ip).default([]).describe("name servers (PVE: nameserver)"),
  domain: hostName.optional().describe("search domain (PVE: searchdomain)"),
});

/** A file on the machine that runs Pulumi. `~` is the home folder; a relative path starts at the project's folder. */
export const localFile = z.string().min(1);

export const httpUrl = z
  .url({ protocol: /^https?$/, error: "expected an http:// or https:// URL", abort: true })
  // A URL parser takes the first part of the path for the host that is missing.
  .refine((url) => /^https?:\/\/[^/?#]/.test(url), {
    error: "expected an http:// or https:// URL with a host",
    abort: true,
  });

/** A URL of a file, not of a folder. */
export const fileUrl = httpUrl.refine((url) => !new URL(url).pathname.endsWith("/"), {
  error: "expected the URL of a file; this one is a folder's",
});
