import ipaddr from "ipaddr.js";
import { isIpv4, isIpv6, SHORTEST_PREFIX } from "./fields.ts";

/** Addresses one after the other, all of one subnet. */
export interface AddressRange {
  /** How many there are. */
  size: number;
  /** The one at `index`, with the prefix: `10.0.0.21/24`. */
  at(index: number): string;
  /** An address as one of them, with the range's prefix; undefined: it is none, whatever its own prefix. */
  asOneOf(cidr: string): string | undefined;
}

const FAMILIES = {
  ipv4: { bytes: 4, isAddress: isIpv4 },
  ipv6: { bytes: 16, isAddress: isIpv6 },
};

const toNumber = (bytes: readonly number[]) => bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);

const toBytes = (value: bigint, length: number) =>
  Array.from({ length }, (_, index) => Number((value >> BigInt(8 * (length - 1 - index))) & 255n));

/** The range in a text of the form first-last/prefix; undefined if it is none. */
export function parseRange(text: string, family: keyof typeof FAMILIES): AddressRange | undefined {
  const { bytes, isAddress } = FAMILIES[family];
  const [, from = "", to = "", prefixText] = /^([^-/]+)-([^-/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const prefix = Number(prefixText);
  if (!isAddress(from) || !isAddress(to) || prefix < SHORTEST_PREFIX || prefix > 8 * bytes) return;
  const [first, last] = [toNumber(ipaddr.parse(from).toByteArray()), toNumber(ipaddr.parse(to).toByteArray())];
  const subnet = (address: bigint) => address >> BigInt(8 * bytes - prefix);
  if (first > last || subnet(first) !== subnet(last)) return;
  return {
    size: Number(last - first) + 1,
    at: (index) => `${ipaddr.fromByteArray(toBytes(first + BigInt(index), bytes))}/${prefix}`,
    asOneOf: (cidr) => {
      const [address = ""] = cidr.split("/");
      if (!isAddress(address)) return undefined;
      const value = toNumber(ipaddr.parse(address).toByteArray());
      return value >= first && value <= last ? `${address}/${prefix}` : undefined;
    },
  };
}
