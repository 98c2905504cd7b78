import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { keyPair } from "../../test/keyPair.ts";
import { fakeFacts, fakeFleet } from "./fakeFacts.ts";
import { addressOf, sshTargetOf } from "./sshTarget.ts";

const folder = mkdtempSync(join(tmpdir(), "golden-fleet-"));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
};
const keys = keyPair("ed25519");
const locked = keyPair("ed25519", { passphrase: "x", cipher: "aes256-cbc", rounds: 1 });
const withSsh = (ssh: object, more: object = {}) =>
  fakeFacts({ fleet: fakeFleet({ cluster: { ssh: { nodes: { pve1: { address: "10.0.0.11" } }, ...ssh } } }), ...more });

test("key, address and folder", async () => {
  const privateKeyFile = file("id", keys.private);
  expect(await sshTargetOf(withSsh({ privateKeyFile }), "pve1", {})).toEqual({
    username: "root",
    privateKey: keys.private,
    address: "10.0.0.11",
    port: 22,
    folder: "/var/lib/vz/snippets",
  });
});

test("without a key file the agent is used; without an agent that is told", async () => {
  expect(await sshTargetOf(withSsh({}), "pve1", { SSH_AUTH_SOCK: "/run/agent" })).toMatchObject({
    agent: "/run/agent",
  });
  await expect(sshTargetOf(withSsh({}), "pve1", {})).rejects.toThrow(/neither privateKeyFile nor an SSH agent/);
});

test("a key that cannot be used is told without any of it", async () => {
  const encrypted = file("locked", locked.private);
  await expect(sshTargetOf(withSsh({ privateKeyFile: encrypted }), "pve1", {})).rejects.toThrow(
    /encrypted with a passphrase/,
  );
  const publicKey = file("id.pub", keys.public);
  await expect(sshTargetOf(withSsh({ privateKeyFile: publicKey }), "pve1", {})).rejects.toThrow(/is a public key/);
  const junk = file("junk", "hello");
  await expect(sshTargetOf(withSsh({ privateKeyFile: junk }), "pve1", {})).rejects.toThrow(/is not a private key/);
});

test("without an ssh section only the password of a Linux user will do", async () => {
  const fleet = fakeFleet({ cluster: { ssh: undefined } });
  const interfaces = async () => [{ iface: "vmbr0", type: "bridge", address: "10.0.0.12", gateway: "10.0.0.1" }];
  await expect(sshTargetOf(fakeFacts({ interfaces, fleet }), "pve1", {})).rejects.toThrow(/^missing/);
  const login = { kind: "password", username: "root@pam", password: "secret" } as const;
  expect(await sshTargetOf(fakeFacts({ interfaces, login, fleet }), "pve1", {})).toMatchObject({
    username: "root",
    password: "secret",
    address: "10.0.0.12",
  });
});

test("the host keys of the node, else those of all nodes; the API's password still does where there is no key", async () => {
  const [all, own] = ["SHA256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", `ssh-ed25519 ${keys.public.split(" ")[1]}`];
  const login = { kind: "password", username: "root@pam", password: "secret" } as const;
  const facts = (nodes: object) => withSsh({ hostKey: all, nodes }, { login });
  const interfaces = async () => [{ iface: "vmbr0", type: "bridge", address: "10.0.0.12", gateway: "10.0.0.1" }];
  expect(await sshTargetOf({ ...facts({}), interfaces }, "pve1", {})).toMatchObject({
    address: "10.0.0.12",
    password: "secret",
    hostKeys: [all],
  });
  expect(await sshTargetOf({ ...facts({ pve1: { hostKey: own } }), interfaces }, "pve1", {})).toMatchObject({
    address: "10.0.0.12",
    hostKeys: [own],
  });
});

test("the node's own address is where its gateway is", () => {
  const plain = { iface: "eno2", type: "eth", address: "192.168.9.9" };
  const routed = { iface: "vmbr0", type: "bridge", address: "10.0.0.12", gateway: "10.0.0.1" };
  const routed6 = { iface: "vmbr1", type: "bridge", address6: "2001:db8::12", gateway6: "2001:db8::1" };
  expect(addressOf([plain, routed6, routed])).toBe("10.0.0.12");
  expect(addressOf([plain, routed6])).toBe("2001:db8::12");
  expect(addressOf([{ iface: "lo", type: "loopback" }, plain])).toBe("192.168.9.9");
  expect(addressOf([])).toBeUndefined();
});
