import { createHmac } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { hostKeyOf } from "./hostKeys.ts";
import { hostKeyVerdict, knownHostKeys, rememberHostKey } from "./knownHosts.ts";

const newBlob = () => ssh2.utils.generateKeyPairSync("ed25519").public.split(" ")[1] ?? "";
const blob = newBlob();
const key = hostKeyOf(Buffer.from(blob, "base64"));
const other = newBlob();

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
  expect(knownHostKeys(text, address, port)).toEqual([key]);
});

test("another key for a known host has changed, even of another type", () => {
  expect(hostKeyVerdict(`pve1 ssh-ed25519 ${other}`, "pve1", 22, key)).toBe("changed");
  const rsa = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 }).public;
  expect(hostKeyVerdict(`pve1 ${rsa}`, "pve1", 22, key)).toBe("changed");
  expect(hostKeyVerdict(`pve1 ${rsa}\npve1 ssh-ed25519 ${blob}`, "pve1", 22, key)).toBe("known");
});

test("a revoked key is never let in", () => {
  const text = `pve1 ssh-ed25519 ${blob}\n@revoked * ssh-ed25519 ${blob}`;
  expect(hostKeyVerdict(text, "pve1", 22, key)).toBe("changed");
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

test("a line that holds no key is none", () => {
  expect(knownHostKeys("pve1 ssh-ed25519 AAAA\npve1 ssh-ed25519", "pve1", 22)).toEqual([]);
});

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "golden-fleet-known-"));
  vi.stubEnv("HOME", home);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
});

test("a key is added to what is there, on a line of its own, and the file is only the user's", () => {
  const file = join(home, ".ssh", "known_hosts");
  rememberHostKey("10.0.0.11", 2222, key);
  expect(readFileSync(file, "utf8")).toBe(`[10.0.0.11]:2222 ssh-ed25519 ${blob}\n`);
  expect([statSync(file).mode & 0o777, statSync(join(home, ".ssh")).mode & 0o777]).toEqual([0o600, 0o700]);
  rememberHostKey("2001:db8::12", 22, key);
  const text = readFileSync(file, "utf8");
  expect(text.split("\n")).toHaveLength(3);
  expect(hostKeyVerdict(text, "2001:db8::12", 22, key)).toBe("known");
});

test("a last line without an end stays whole", () => {
  mkdirSync(join(home, ".ssh"));
  writeFileSync(join(home, ".ssh", "known_hosts"), `pve2 ssh-ed25519 ${other}`);
  rememberHostKey("pve1", 22, key);
  const text = readFileSync(join(home, ".ssh", "known_hosts"), "utf8");
  expect(text).toBe(`pve2 ssh-ed25519 ${other}\npve1 ssh-ed25519 ${blob}\n`);
});
