import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { hostKeyVerdict, knownKeyTypes } from "./knownHosts.ts";

const key = Buffer.from("key of the host");
const blob = key.toString("base64");
const other = Buffer.from("key of somebody else").toString("base64");

test.each([
  ["plain", `pve1 ssh-ed25519 ${blob}`, "pve1", 22],
  ["one of several names", `pve1,10.0.0.11 ssh-ed25519 ${blob} a comment`, "10.0.0.11", 22],
  ["with a port", `[10.0.0.11]:2222 ssh-ed25519 ${blob}`, "10.0.0.11", 2222],
  ["a pattern", `*.example.net,!bad.example.net ssh-ed25519 ${blob}`, "pve1.example.net", 22],
  [
    "hashed",
    `|1|${Buffer.from("salt").toString("base64")}|${createHmac("sha1", "salt").update("pve1").digest("base64")} ssh-ed25519 ${blob}`,
    "pve1",
    22,
  ],
])("a known key: %s", (_title, text, address, port) => {
  expect(hostKeyVerdict(`# hosts\n\n${text}\n`, address, port, key)).toBe("known");
  expect(knownKeyTypes(text, address, port)).toEqual(["ssh-ed25519"]);
});

test("another key for a known host has changed, even of another type", () => {
  expect(hostKeyVerdict(`pve1 ssh-ed25519 ${other}`, "pve1", 22, key)).toBe("changed");
  expect(hostKeyVerdict(`pve1 ssh-rsa ${other}`, "pve1", 22, key)).toBe("changed");
  expect(hostKeyVerdict(`pve1 ssh-rsa ${other}\npve1 ssh-ed25519 ${blob}`, "pve1", 22, key)).toBe("known");
});

test("a revoked key is never let in", () => {
  expect(hostKeyVerdict(`@revoked * ssh-ed25519 ${blob}`, "pve1", 22, key)).toBe("changed");
});

test("hosts that are not in the file are unknown", () => {
  for (const text of [
    "",
    `pve2 ssh-ed25519 ${blob}`,
    `pve1 ssh-ed25519 ${other}`.replace("pve1", "[pve1]:2222"),
    `*.example.net,!pve1 ssh-ed25519 ${other}`,
    `@cert-authority pve1 ssh-ed25519 ${other}`,
  ])
    expect(hostKeyVerdict(text, "pve1", 22, key)).toBe("unknown");
});
