import { expect, test } from "vitest";
import { AGENT, acceptedKeys, workingLogin } from "./askSsh.ts";
import type { NodeSsh } from "./cluster/ssh.ts";
import { Options } from "./options.ts";
import { Ui } from "./ui.ts";

const key = (type: string) => ({ type, fingerprint: `SHA256:${type}`, line: `${type} AAAA` });
const [ed25519, rsa] = [key("ssh-ed25519"), key("ssh-rsa")];
const server: NodeSsh = {
  ...{ node: "pve1", address: "10.0.0.9", port: 2222, knownHostsLines: [] },
  ...{ keys: [ed25519, rsa], known: "unknown", knownKeys: [] },
};

function accepted(given: Record<string, string>, shown: Partial<NodeSsh> = {}) {
  const options = new Options(given);
  const ui = new Ui(options, { interactive: false, out: process.stderr });
  return acceptedKeys(ui, options, { ...server, ...shown }, { username: "root", isNeeded: true });
}

test("the host keys that count are those that were verified", async () => {
  expect(await accepted({ "accept-host-key": rsa.fingerprint })).toEqual([rsa]);
  expect(await accepted({ "accept-host-key": "any" })).toEqual([ed25519, rsa]);
  expect(await accepted({}, { known: "known", knownKeys: [rsa] })).toEqual([rsa]);
  expect(await accepted({ "accept-host-key": "any" }, { known: "known", knownKeys: [rsa] })).toEqual([rsa]);
  await expect(accepted({})).rejects.toThrow("is not known");
  await expect(accepted({ "accept-host-key": "SHA256:other" })).rejects.toThrow("--accept-host-key has SHA256:other");
});

test("another key than known_hosts has is told with the name that it has there", async () => {
  await expect(accepted({}, { known: "changed" })).rejects.toMatchObject({
    todo: ["If the node was reinstalled: ssh-keygen -R '[10.0.0.9]:2222'"],
  });
});

test("the private keys are tried one after the other, and then the agent", async () => {
  const ways = ["~/.ssh/id_ed25519", "~/.ssh/id_rsa", AGENT];
  const onlyBy = (way?: string) =>
    workingLogin("root", ways, async (login) => (login.privateKeyFile === way ? undefined : "no"));
  expect(await onlyBy("~/.ssh/id_rsa")).toEqual({ username: "root", privateKeyFile: "~/.ssh/id_rsa" });
  expect(await onlyBy(AGENT)).toEqual({ username: "root" });
  await expect(onlyBy("~/.ssh/other")).rejects.toThrow("root cannot log in: no");
});
