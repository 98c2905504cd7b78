import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keyPair } from "../../test/keyPair.ts";
import { findPublicKeys, usablePrivateKeys } from "./sshKeys.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "home-"));
  mkdirSync(join(home, ".ssh"));
});
afterEach(() => rmSync(home, { recursive: true }));

function key(name: string, type: "ed25519" | "rsa", passphrase?: string): string {
  const made = keyPair(type, {
    comment: `mia@${name}`,
    ...(type === "rsa" && { bits: 2048 }),
    ...(passphrase && { passphrase, cipher: "aes256-ctr", rounds: 1 }),
  });
  writeFileSync(join(home, ".ssh", name), made.private, { mode: 0o600 });
  writeFileSync(join(home, ".ssh", `${name}.pub`), `${made.public}\n`);
  return made.public;
}

function parsed(line: string): ssh2.ParsedKey {
  const found = ssh2.utils.parseKey(line);
  if (found instanceof Error || Array.isArray(found)) throw new Error(line);
  return found;
}

test("public keys are found, Ed25519 first, with what can be made of the private ones", async () => {
  key("id_rsa", "rsa");
  const line = key("id_ed25519", "ed25519", "words");
  writeFileSync(join(home, ".ssh", "broken.pub"), "ssh-ed25519 AAAA");
  writeFileSync(join(home, ".ssh", "alone.pub"), key("gone", "ed25519"));
  rmSync(join(home, ".ssh", "gone"));
  rmSync(join(home, ".ssh", "gone.pub"));
  const found = await findPublicKeys({ HOME: home });
  expect(found.map(({ file, privateKey }) => [file, privateKey])).toEqual([
    ["~/.ssh/alone.pub", undefined],
    ["~/.ssh/id_ed25519.pub", { file: "~/.ssh/id_ed25519", state: "encrypted" }],
    ["~/.ssh/id_rsa.pub", { file: "~/.ssh/id_rsa", state: "ready" }],
  ]);
  expect(found[1]).toMatchObject({
    line,
    type: "ssh-ed25519",
    comment: "mia@id_ed25519",
    fingerprint: expect.stringMatching(/^SHA256:[\w+/]{43}$/),
    inAgent: false,
  });
  expect(usablePrivateKeys(found)).toEqual(["~/.ssh/id_rsa"]);
});

test("the agent's keys are found too, each key once", async () => {
  const lines = [key("id_ed25519", "ed25519"), key("other", "ed25519")];
  rmSync(join(home, ".ssh", "other.pub"));
  const socket = join(home, "agent");
  const server = createServer((connection) => {
    const agent = new ssh2.AgentProtocol(false);
    agent.on("identities", (request) => agent.getIdentitiesReply(request, lines.map(parsed)));
    connection.pipe(agent).pipe(connection);
  }).listen(socket);
  await once(server, "listening");
  const found = await findPublicKeys({ HOME: home, SSH_AUTH_SOCK: socket });
  expect(found.map(({ line, file, inAgent }) => ({ line, file, inAgent }))).toEqual([
    { line: lines[0], file: "~/.ssh/id_ed25519.pub", inAgent: true },
    { line: lines[1], file: undefined, inAgent: true },
  ]);
  server.close();
});

test("without a folder, and with an agent that does not answer, there are none", async () => {
  rmSync(join(home, ".ssh"), { recursive: true });
  expect(await findPublicKeys({ HOME: home, SSH_AUTH_SOCK: join(home, "nobody") })).toEqual([]);
});
