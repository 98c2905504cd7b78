import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, describe, expect, test } from "vitest";
import type { CloudInit } from "../cloudInit.ts";
import { templateSchema } from "../template.ts";
import { noble, PUBLIC_KEY, templateProblems } from "../testing.ts";
import { publicKeys } from "./keys.ts";

const folder = mkdtempSync(join(tmpdir(), "keys-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const file = (text: string) => {
  const path = join(folder, `${files++}.pub`);
  writeFileSync(path, text);
  return path;
};

const keysOf = (cloudInit: Record<string, unknown>) => {
  const template = templateSchema.parse({ ...noble, cloudInit });
  return publicKeys(template.cloudInit as CloudInit, "cloudInit");
};

const OTHER = ssh2.utils.generateKeyPairSync("ecdsa", { bits: 256, comment: "work laptop" }).public;
const RSA = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 }).public.trim();
const SK = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIA me@token";

describe("a file of public keys", () => {
  test("may have many lines, comments and empty lines; each key is taken once", () => {
    const text = `# mine\r\n${PUBLIC_KEY}\r\n\r\n${OTHER}\n  ${RSA}\n${PUBLIC_KEY}\n`;
    const { keys, problems } = keysOf({ sshPublicKeyFile: file(text), sshPublicKeys: [OTHER] });
    expect(problems).toEqual([]);
    expect(keys).toEqual([OTHER, PUBLIC_KEY, RSA]);
  });

  test.each([
    ["", "the file is empty; expected an SSH public key"],
    ["# nothing yet\n\n", "the file is empty; expected an SSH public key"],
    ["hello\n", 'expected one SSH public key, for example "ssh-ed25519 AAAA… me@home"'],
    ["ssh-ed25519 AAAAgarbage me\n", "expected one SSH public key"],
    [`${PUBLIC_KEY}\nssh-ed25519\n`, "expected one SSH public key"],
    ["-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n", "this is a PRIVATE key: it must never leave this machine"],
    ["-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0\n", "this is a PRIVATE key"],
    ["PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\nc2VjcmV0\n", "this is a PRIVATE key"],
  ])("%j is refused", (text, expected) => {
    const { problems } = keysOf({ sshPublicKeyFile: file(text) });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({
      path: "cloudInit.sshPublicKeyFile",
      message: expect.stringContaining(expected),
    });
    expect(problems[0]?.message).not.toContain("c2VjcmV0");
  });

  test.each([
    [join(folder, "missing.pub"), "there is no such file"],
    [folder, "it is a folder"],
  ])("%s cannot be read", (path, expected) => {
    expect(keysOf({ sshPublicKeyFile: path }).problems[0]?.message).toBe(
      `found "${path}"; cannot read ${path}: ${expected}; expected the file of an SSH public key`,
    );
  });
});

describe("a public key in the config", () => {
  test.each([
    [PUBLIC_KEY],
    [OTHER],
    [SK],
    [`from="10.0.0.0/8",no-pty ${PUBLIC_KEY}`],
    [`command="run ssh-agent now" ${PUBLIC_KEY}`],
    [`restrict ${SK}`],
  ])("%s is good", (line) => {
    expect(keysOf({ sshPublicKeys: [` ${line} `] })).toEqual({ keys: [line.trim()], problems: [] });
  });

  test.each([
    ["ssh-ed25519"],
    ["AAAAC3NzaC1lZDI1NTE5"],
    [""],
    [`${PUBLIC_KEY}\n${PUBLIC_KEY}`],
    ["sk-ssh-ed25519 oops"],
  ])("%j is refused", (line) => {
    expect(templateProblems({ cloudInit: { sshPublicKeys: [PUBLIC_KEY, line] } })).toEqual([
      expect.stringMatching(/^templates.noble.cloudInit.sshPublicKeys\[1\]: expected one SSH public key, for example/),
    ]);
  });
});
