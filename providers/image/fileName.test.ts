import { expect, test } from "vitest";
import { cachedName } from "./fileName.ts";

const checksum = `0123456789abcdef${"f".repeat(48)}`;
const name = (url: string, more: object = {}) => cachedName({ url, checksum, ...more });

test.each([
  // Ubuntu's and Debian's .img are qcow2, and PVE imports no .img.
  ["https://example.net/noble-server-cloudimg-amd64.img", "noble-server-cloudimg-amd64-0123456789abcdef.qcow2"],
  ["https://example.net/debian-13.qcow2", "debian-13-0123456789abcdef.qcow2"],
  ["https://example.net/debian-13.raw", "debian-13-0123456789abcdef.raw"],
  ["https://example.net/windows.VMDK", "windows-0123456789abcdef.vmdk"],
  ["https://example.net/download?id=5", "download-0123456789abcdef.qcow2"],
  ["https://example.net/", "image-0123456789abcdef.qcow2"],
  ["https://example.net/a%20b%2Fc..d.qcow2", "a-b-c.d-0123456789abcdef.qcow2"],
  ["https://example.net/100%.qcow2", "100--0123456789abcdef.qcow2"],
])("%s is cached as %s", (url, expected) => {
  expect(name(url)).toBe(expected);
});

test("fileName and format of the config win", () => {
  expect(name("https://example.net/x?y", { fileName: "ours.img" })).toBe("ours-0123456789abcdef.qcow2");
  expect(name("https://example.net/disk.img", { format: "raw" })).toBe("disk-0123456789abcdef.raw");
  expect(name("https://example.net/disk.img", { fileName: "ours.qcow2", format: "raw" })).toBe(
    "ours-0123456789abcdef.raw",
  );
});

test("another content is another file", () => {
  const url = "https://example.net/noble.img";
  expect(name(url)).not.toBe(name(url, { checksum: "a".repeat(64) }));
});

test("without a checksum another URL is another file", () => {
  const plain = (url: string) => cachedName({ url });
  expect(plain("https://a.example.net/noble.img")).toMatch(/^noble-url[0-9a-f]{12}\.qcow2$/);
  expect(plain("https://a.example.net/noble.img")).not.toBe(plain("https://b.example.net/noble.img"));
});

test("a name is never longer than a file system takes", () => {
  expect(name(`https://example.net/${"a".repeat(400)}.img`).length).toBeLessThan(130);
});

test("nothing of a URL that is a secret is in the name but its format", () => {
  expect(name("https://example.net/s3cret/noble.raw", { hidden: true })).toBe("image-0123456789abcdef.raw");
  expect(name("https://example.net/x", { hidden: true, fileName: "ours" })).toBe("ours-0123456789abcdef.qcow2");
});

test("a changed password is not another file", () => {
  const plain = (login: string) => cachedName({ url: `https://${login}example.net/noble.img` });
  expect(plain("me:old@")).toBe(plain("me:new@"));
  expect(plain("me:old@")).toBe(plain(""));
});
