import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fileUrl, gateway6, hostName, ip, ipv4, ipv6, key } from "./fields.ts";

const takes = (schema: { safeParse: (value: unknown) => { success: boolean } }, value: unknown) =>
  schema.safeParse(value).success;

test.each([
  ["web-1", true],
  ["web-1.example.net", true],
  ["1", true],
  ["a".repeat(63), true],
  ["a".repeat(64), false],
  [`${"a.".repeat(126)}a`, true],
  [`${"a.".repeat(127)}a`, false],
  ["web_1", false],
  ["-web", false],
  ["web-", false],
  ["web..net", false],
  ["web.", false],
  ["", false],
  ["wéb", false],
  ["10.0.0.21", false],
])("host name %s: %s", (name, good) => {
  expect(takes(hostName, name)).toBe(good);
});

describe("IPv4 of a guest", () => {
  test.each([
    ["dhcp", true],
    ["10.0.0.21/24", true],
    ["10.0.0.21/8", true],
    // PVE takes prefixes from 8 on.
    ["10.0.0.21/7", false],
    ["10.0.0.21", false],
    ["10.0.0.21/33", false],
    ["10.0.0.21/", false],
    ["10.0.0.21/24/24", false],
    ["10.0.0.256/24", false],
    ["010.0.0.1/24", false],
    ["10.0.1/24", false],
    ["0x0a000001/24", false],
    ["auto", false],
    ["DHCP", false],
    ["2001:db8::1/64", false],
    ["", false],
  ])("%s: %s", (text, good) => {
    expect(takes(ipv4, text)).toBe(good);
  });

  test("property: every address with every prefix that PVE takes", () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(fc.tuple(byte, byte, byte, byte), fc.integer({ min: -1, max: 200 }), (bytes, prefix) => {
        expect(takes(ipv4, `${bytes.join(".")}/${prefix}`)).toBe(prefix >= 8 && prefix <= 32);
      }),
    );
  });
});

describe("IPv6 of a guest", () => {
  test.each([
    ["auto", true],
    ["dhcp", true],
    ["2001:db8::21/64", true],
    ["2001:DB8::21/128", true],
    ["2001:db8::21", false],
    ["2001:db8::21/129", false],
    ["2001:db8::21/7", false],
    ["fe80::1%eth0/64", false],
    ["10.0.0.1/24", false],
    ["slaac", false],
  ])("%s: %s", (text, good) => {
    expect(takes(ipv6, text)).toBe(good);
  });

  test("property: every address", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.integer({ min: 8, max: 128 }), (address, prefix) => {
        expect(takes(ipv6, `${address}/${prefix}`)).toBe(true);
        expect(takes(ip, address)).toBe(true);
      }),
    );
  });
});

test("a gateway or name server has no zone", () => {
  expect(takes(gateway6, "fe80::1")).toBe(true);
  expect(takes(gateway6, "fe80::1%eth0")).toBe(false);
  expect(takes(ip, "fe80::1%eth0")).toBe(false);
});

test("short names", () => {
  expect([takes(key, "noble-2"), takes(key, "2noble"), takes(key, "a.b"), takes(key, "")]).toEqual([
    true,
    false,
    false,
    false,
  ]);
  // What every object has would be found where nobody put it.
  expect(["constructor", "toString", "hasOwnProperty"].map((name) => takes(key, name))).toEqual([false, false, false]);
});

test.each(["https:///noble.img", "https://", "ftp://example.net/noble.img"])("%s is no URL to download from", (url) => {
  expect(takes(fileUrl, url)).toBe(false);
});

test("a folder is no file", () => {
  expect(takes(fileUrl, "https://example.net/images/")).toBe(false);
  expect(takes(fileUrl, "https://example.net")).toBe(false);
  expect(takes(fileUrl, "https://example.net/noble.img?signature=x/")).toBe(true);
});
