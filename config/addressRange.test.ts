import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { expect, test } from "vitest";
import { parseRange } from "./addressRange.ts";

const all = (text: string, family: "ipv4" | "ipv6") => {
  const range = parseRange(text, family);
  return Array.from({ length: range?.size ?? 0 }, (_, index) => range?.at(index));
};

test("an IPv6 range goes on across its groups", () => {
  expect(all("2001:db8::fffe-2001:db8::1:1/64", "ipv6")).toEqual([
    "2001:db8::fffe/64",
    "2001:db8::ffff/64",
    "2001:db8::1:0/64",
    "2001:db8::1:1/64",
  ]);
  expect(parseRange("2001:db8::-2001:db8::ffff:ffff:ffff:ffff/64", "ipv6")?.size).toBe(2 ** 64);
});

test("the first and the last address of all there are", () => {
  expect(all("255.255.255.254-255.255.255.255/31", "ipv4")).toEqual(["255.255.255.254/31", "255.255.255.255/31"]);
  expect(all("::1-::1/128", "ipv6")).toEqual(["::1/128"]);
});

test.each([
  ["10.0.0.22-10.0.0.21/24", "ipv4"],
  ["10.0.0.254-10.0.1.9/24", "ipv4"],
  ["10.0.0.21-10.0.0.70", "ipv4"],
  ["10.0.0.21-10.0.0.70/33", "ipv4"],
  ["10.0.0.21-10.0.0.70/7", "ipv4"],
  ["10.0.0.21-70/24", "ipv4"],
  ["2001:db8::1-2001:db8::2/64", "ipv4"],
  ["10.0.0.1-10.0.0.2/24", "ipv6"],
  ["2001:db8::2-2001:db8::1/64", "ipv6"],
  ["2001:db8::1-2001:db8:0:1::1/64", "ipv6"],
  ["2001:db8::1-2001:db8::2/129", "ipv6"],
  ["fe80::1%eth0-fe80::2%eth0/64", "ipv6"],
] as const)("%s is no %s range", (text, family) => {
  expect(parseRange(text, family)).toBeUndefined();
});

test("property: an IPv6 range gives as many different addresses as it has, all of its subnet", () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.integer({ min: 8, max: 118 }), fc.integer({ min: 1, max: 999 }), (any, prefix, more) => {
      const first = ipaddr.IPv6.networkAddressFromCIDR(`${any}/${prefix}`);
      const bytes = first.toByteArray();
      bytes[14] = (bytes[14] ?? 0) + Math.floor(more / 256);
      bytes[15] = more % 256;
      const list = all(`${first}-${ipaddr.fromByteArray(bytes)}/${prefix}`, "ipv6");
      expect(new Set(list).size).toBe(more + 1);
      for (const one of list) {
        const [address, bits] = ipaddr.parseCIDR(one ?? "");
        expect(address.match(first, bits)).toBe(true);
      }
    }),
    { numRuns: 20 },
  );
});
