import ipaddr from "ipaddr.js";
import { z } from "zod";
import { addressing, gateway4, hostName, key, pveName, SHORTEST_PREFIX, tag, vmId } from "./fields.ts";

const clone = z.strictObject({
  name: hostName.describe("VM name and host name of the guest"),
  vmId,
  ...addressing,
});

export type CloneConfig = z.output<typeof clone>;

/** Of one set. */
const MOST_CLONES = 1000;

const common = {
  template: key.describe("key of the template in `templates`"),
  createClones: z.boolean().default(true).describe("false: the set is left out"),
  mode: z
    .enum(["linked", "full"])
    .default("linked")
    .describe("linked: copy on write on the template's disks; full: own disks"),
  datastore: pveName.optional().describe("datastore of full clones; default: the template's"),
  start: z.boolean().default(true).describe("start each clone and wait until it runs"),
  onBoot: z.boolean().default(false).describe("start with the node (PVE: onboot)"),
  tags: z.array(tag).default([]).describe("PVE tags of the clones"),
};

const listed = z.strictObject({
  ...common,
  clones: z.array(clone).max(MOST_CLONES).describe("the clones, one by one"),
});

const RANGE = /^([\d.]+)-([\d.]+)\/(\d{1,2})$/;

const range = z.string().refine((text) => parseRange(text) !== undefined, {
  error: 'expected first-last/prefix within one subnet, for example "10.0.0.21-10.0.0.70/24"',
});

const counted = z.strictObject({
  ...common,
  count: z.int().min(0).max(MOST_CLONES).describe("how many clones"),
  namePattern: z
    .string()
    .refine((text) => text.includes("{n}"), { error: 'expected a pattern with {n}, for example "web-{n}"' })
    .refine((text) => hostName.safeParse(text.replaceAll("{n}", String(MOST_CLONES))).success, {
      error: 'expected a pattern that makes host names, for example "web-{n}"',
    })
    .describe("their names; {n} counts from 1"),
  firstVmId: vmId.describe("VMID of the first; the others follow"),
  ipRange: range.optional().describe("their addresses, first-last/prefix; default: dhcp"),
  gateway: gateway4.optional().describe("IPv4 gateway of the range"),
});

/** A set of clones of one template, listed one by one or counted. */
export const cloneSetSchema = z.union([listed, counted]);

/** The member of the union that somebody meant, so that an error speaks of that one alone. */
export const cloneSetSchemaFor = (raw: unknown) =>
  typeof raw === "object" && raw !== null && ("count" in raw || "namePattern" in raw) ? counted : listed;

export type CloneSetConfig = z.output<typeof cloneSetSchema>;

/** First and last address of an IPv4 range in one subnet, as numbers, with its prefix; undefined if it is none. */
function parseRange(text: string): { first: number; last: number; prefix: number } | undefined {
  const [, from = "", to = "", prefix] = RANGE.exec(text) ?? [];
  if (![from, to].every((address) => ipaddr.IPv4.isValidFourPartDecimal(address))) return;
  if (Number(prefix) < SHORTEST_PREFIX || Number(prefix) > 32) return;
  const number = (address: string) => ipaddr.IPv4.parse(address).octets.reduce((sum, octet) => sum * 256 + octet, 0);
  const [first, last] = [number(from), number(to)];
  const subnet = (address: number) => Math.floor(address / 2 ** (32 - Number(prefix)));
  return first <= last && subnet(first) === subnet(last) ? { first, last, prefix: Number(prefix) } : undefined;
}

const dotted = (value: number) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");

/** How many addresses the set's range holds; Infinity without a range. */
export function rangeSize(set: CloneSetConfig): number {
  const parsed = "ipRange" in set && set.ipRange ? parseRange(set.ipRange) : undefined;
  return parsed ? parsed.last - parsed.first + 1 : Number.POSITIVE_INFINITY;
}

/**
 * The clones of a set, each with the place in the config that it comes from.
 *
 * @param at where the set stands in the config
 */
export function expandClones(set: CloneSetConfig, at: string): { clone: CloneConfig; path: string }[] {
  if ("clones" in set) return set.clones.map((one, index) => ({ clone: one, path: `${at}.clones[${index}]` }));
  const addresses = set.ipRange ? parseRange(set.ipRange) : undefined;
  return Array.from({ length: Math.min(set.count, rangeSize(set)) }, (_, index) => ({
    path: at,
    clone: {
      name: set.namePattern.replaceAll("{n}", String(index + 1)),
      vmId: set.firstVmId + index,
      ip: addresses ? `${dotted(addresses.first + index)}/${addresses.prefix}` : "dhcp",
      ...(set.gateway && { gateway: set.gateway }),
    },
  }));
}
