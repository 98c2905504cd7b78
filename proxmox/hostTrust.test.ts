import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { keyPair } from "../test/keyPair.ts";
import { type HostKey, hostKeyOf, isPinned, scanHostKeys } from "./hostKeys.ts";
import { trustOf } from "./hostTrust.ts";

interface Pair {
  private: string;
  key: HostKey;
}

function newPair(type: "ed25519" | "ecdsa" | "rsa", bits = 256): Pair {
  const { private: own, public: line } = type === "ed25519" ? keyPair() : keyPair(type, { bits });
  return { private: own, key: hostKeyOf(Buffer.from(line.split(" ")[1] ?? "", "base64")) };
}

let ed25519: Pair;
let ecdsa: Pair;
let rsa: Pair;
let other: Pair;
beforeAll(() => {
  [ed25519, ecdsa, rsa, other] = [newPair("ed25519"), newPair("ecdsa"), newPair("rsa", 2048), newPair("ed25519")];
});

let home: string;
let server: ssh2.Server;
let port: number;
let connections: number;

async function serve(...pairs: Pair[]): Promise<void> {
  server = new ssh2.Server({ hostKeys: pairs.map((pair) => pair.private) });
  connections = 0;
  server.on("connection", (client) => {
    connections++;
    client.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "golden-fleet-trust-"));
  vi.stubEnv("HOME", home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true });
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

const trust = (...hostKeys: string[]) => trustOf({ address: "127.0.0.1", port, hostKeys });
const lineOf = ({ key }: Pair) => `[127.0.0.1]:${port} ${key.line}\n`;

function know(...pairs: Pair[]): void {
  mkdirSync(join(home, ".ssh"));
  writeFileSync(join(home, ".ssh", "known_hosts"), pairs.map(lineOf).join(""));
}

function known(): string {
  try {
    return readFileSync(join(home, ".ssh", "known_hosts"), "utf8");
  } catch {
    return "";
  }
}

test("a server is asked for all of its host keys, and nobody logs in", async () => {
  await serve(rsa, ed25519, ecdsa);
  expect(await scanHostKeys("127.0.0.1", port)).toEqual([ed25519.key, ecdsa.key, rsa.key]);
  expect(ed25519.key).toMatchObject({
    type: "ssh-ed25519",
    fingerprint: expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/),
  });
});

test("a port without SSH server is told", async () => {
  await serve(ed25519);
  await expect(scanHostKeys("127.0.0.1", 1)).rejects.toMatchObject({ code: "refused" });
});

test("fingerprints are those of ssh-keygen", () => {
  const line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6JxiLc/GqdgUEtcCk7TyRtmDvHPz/1bz0hTww9L0eF";
  const key = hostKeyOf(Buffer.from(line.split(" ")[1] ?? "", "base64"));
  const fingerprint = "SHA256:4rj0OdGmzTrxbTwzhQuX14ZP4qaAzHBY2DcAEluTH5k";
  expect(key).toEqual({ type: "ssh-ed25519", fingerprint, line });
  for (const pin of [fingerprint, `${fingerprint}=`, line, `${line} root@pve1`])
    expect(isPinned([pin], key)).toBe(true);
  for (const pin of ["SHA256:", "ssh-ed25519 AAAA", "ssh-ed25519"]) expect(isPinned([pin], key)).toBe(false);
});

test("of a server that nobody knows every key will do, and none is written down", async () => {
  await serve(ed25519);
  const { expected, remembered } = await trust();
  expect([expected, remembered, known(), connections]).toEqual([[], undefined, "", 0]);
});

test.each([
  ["by its fingerprint", ({ key }: Pair) => key.fingerprint],
  ["by its line", ({ key }: Pair) => key.line],
])("a key pinned %s is expected, and known_hosts has it from then on", async (_title, pin) => {
  await serve(ed25519, ecdsa);
  const first = await trust(other.key.fingerprint, pin(ecdsa));
  expect([first.expected, first.remembered]).toEqual([[ecdsa.key], ecdsa.key]);
  expect([first.accepts(ecdsa.key), first.accepts(ed25519.key)]).toEqual([true, false]);
  expect(known()).toBe(lineOf(ecdsa));
  connections = 0;
  const second = await trust(pin(ecdsa));
  expect([second.expected, second.remembered, connections]).toEqual([[ecdsa.key], undefined, 0]);
});

test("a server without the pinned key is refused with what was found and expected, and not remembered", async () => {
  await serve(ed25519, ecdsa);
  const error = await trust(other.key.fingerprint).catch((one) => one);
  expect(error).toMatchObject({ code: "pinned-key", found: [ed25519.key, ecdsa.key], forget: undefined });
  expect(error.message).toContain(`found ${ed25519.key.fingerprint} (ssh-ed25519), ${ecdsa.key.fingerprint}`);
  expect(error.message).toContain(`expected ${other.key.fingerprint}`);
  expect(known()).toBe("");
});

test("if known_hosts has another key than the pinned one, it has to forget that first", async () => {
  await serve(ed25519);
  know(other);
  const before = known();
  const right = await trust(ed25519.key.line).catch((one) => one);
  expect(right).toMatchObject({ code: "known-hosts", found: [ed25519.key], forget: `[127.0.0.1]:${port}` });
  expect(right.message).toContain(ed25519.key.fingerprint);
  expect(right.message).toContain(other.key.fingerprint);
  expect(known()).toBe(before);
});

test("a key of another type that known_hosts has, and the server still shows, stays beside the pinned one", async () => {
  await serve(ed25519, ecdsa);
  know(ecdsa);
  const { expected } = await trust(ed25519.key.fingerprint);
  expect(expected).toEqual([ed25519.key]);
  expect(known()).toBe(lineOf(ecdsa) + lineOf(ed25519));
});

test("a pinned key that the server no longer has is refused by what the config says, and known_hosts has to forget it", async () => {
  await serve(ed25519);
  know(other);
  const expected = await trust(other.key.fingerprint);
  expect(expected.accepts(ed25519.key)).toBe(false);
  expect(expected.refusal([ed25519.key])).toMatchObject({
    code: "pinned-key",
    forget: `[127.0.0.1]:${port}`,
    message: expect.stringContaining(
      `found ${ed25519.key.fingerprint} (ssh-ed25519), expected ${other.key.fingerprint} (ssh-ed25519)`,
    ),
  });
});

test("a revoked key is refused, be the server known or not", async () => {
  await serve(ed25519);
  mkdirSync(join(home, ".ssh"));
  writeFileSync(join(home, ".ssh", "known_hosts"), `@revoked * ${ed25519.key.line}\n`);
  const expected = await trust();
  expect([expected.accepts(other.key), expected.accepts(ed25519.key)]).toEqual([true, false]);
  expect(expected.refusal([ed25519.key]).message).toContain("expected any other, as this one is marked @revoked there");
});
