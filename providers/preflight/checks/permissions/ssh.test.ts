import { expect, test } from "vitest";
import { HostKeyError, SshError } from "../../../../proxmox/sshError.ts";
import { fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { snippetsWritable, sshLogin } from "./ssh.ts";

const refusing = (error: SshError) => fakeFacts({ snippetsFolder: () => Promise.reject(error) });

test("a login that works", async () => {
  expect(await found(sshLogin, fakeFacts())).toEqual(["pass SSH to pve1 as root@10.0.0.11:22"]);
  expect(await found(snippetsWritable, fakeFacts())).toEqual(["pass the snippets folder is writable"]);
});

test.each([
  ["setup", "cluster.ssh", /privateKeyFile/],
  ["key", "cluster.ssh.privateKeyFile", /passphrase/],
  ["agent", "cluster.ssh", /ssh-add/],
  ["auth", "cluster.ssh", /authorized_keys/],
  ["refused", "cluster.ssh.nodes.pve1", /address and port/],
] as const)("%s is told at %s", async (code, path, todo) => {
  const [finding] = await sshLogin.run(refusing(new SshError(code, "it is so")));
  expect(finding).toMatchObject({ status: "fail", path, message: "SSH to node pve1 as root: it is so" });
  expect(finding?.todo?.[0]).toMatch(todo);
});

const key = { type: "ssh-ed25519", fingerprint: "SHA256:new", line: "ssh-ed25519 AAAA" };
const pinnedIn = (ssh: object, more: object) => fakeFacts({ fleet: fakeFleet({ cluster: { ssh } }), ...more });
const PIN = "SHA256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";

test("a host key that is not the pinned one: the config's place, the new value, and what known_hosts has to forget", async () => {
  const error = new HostKeyError("pinned-key", "it has changed", { found: [key], forget: "[10.0.0.11]:2222" });
  const refused = { snippetsFolder: () => Promise.reject(error) };
  const [all] = await sshLogin.run(pinnedIn({ hostKey: PIN }, refused));
  expect(all).toMatchObject({
    status: "fail",
    path: "cluster.ssh.hostKey",
    message: "SSH to node pve1: it has changed",
  });
  expect(all?.todo).toEqual([
    expect.stringMatching(/^On pve1: ssh-keygen -lf .*find out who/),
    `If it is the node's own: cluster.ssh.hostKey: "SHA256:new", and ssh-keygen -R '[10.0.0.11]:2222'`,
  ]);
  const [one] = await sshLogin.run(pinnedIn({ hostKey: PIN, nodes: { pve1: { hostKey: PIN } } }, refused));
  expect(one).toMatchObject({ path: "cluster.ssh.nodes.pve1.hostKey" });
});

test("a host key that is not the one of known_hosts", async () => {
  const error = new HostKeyError("known-hosts", "it has changed", { found: [key], forget: "10.0.0.11" });
  const [finding] = await sshLogin.run(refusing(error));
  expect(finding).toMatchObject({ status: "fail", path: "cluster.ssh.nodes.pve1" });
  expect(finding?.todo?.[1]).toBe("If it is the node's own: ssh-keygen -R 10.0.0.11");
});

test("a host key that is taken on trust is a warning with the line that pins it, one that was added a note", async () => {
  const folder = { login: "root@10.0.0.11:22", folder: "/var/lib/vz/snippets", exists: true };
  const [, onTrust] = await sshLogin.run(fakeFacts({ snippetsFolder: async () => ({ ...folder, onTrust: key }) }));
  expect(onTrust).toMatchObject({
    status: "warn",
    path: "cluster.ssh.nodes.pve1.hostKey",
    message: expect.stringContaining("SHA256:new (ssh-ed25519) is taken on trust"),
    todo: [expect.stringContaining('pin it: cluster.ssh.nodes.pve1.hostKey: "SHA256:new"')],
  });
  expect(await found(sshLogin, fakeFacts({ snippetsFolder: async () => ({ ...folder, remembered: key }) }))).toEqual([
    "pass SSH to pve1 as root@10.0.0.11:22",
    expect.stringMatching(/^note the host key of pve1 is the pinned one, and was added to ~\/\.ssh\/known_hosts/),
  ]);
});

test("a folder that cannot be written to", async () => {
  const folder = {
    login: "snippets@10.0.0.11:22",
    folder: "/var/lib/vz/snippets",
    exists: true,
    notWritable: "permission denied",
  };
  const [finding] = await snippetsWritable.run(fakeFacts({ snippetsFolder: async () => folder }));
  expect(finding).toMatchObject({
    status: "fail",
    message: "snippets@10.0.0.11:22 cannot write to /var/lib/vz/snippets: permission denied",
  });
  expect(finding?.todo?.[0]).toContain("setfacl -m u:snippets:rwx /var/lib/vz/snippets");
});

test("where no template needs a snippet nobody is asked", async () => {
  const facts = { ...refusing(new SshError("auth", "asked")), fleet: fakeFleet({ cluster: { ssh: undefined } }) };
  expect(await sshLogin.run(facts)).toEqual([]);
  expect(await snippetsWritable.run(facts)).toEqual([]);
});

test("without templates there are no snippets, and nobody is asked", async () => {
  const facts = { ...refusing(new SshError("auth", "asked")), fleet: fakeFleet({ templates: {}, cloneSets: {} }) };
  expect(await sshLogin.run(facts)).toEqual([]);
  expect(await snippetsWritable.run(facts)).toEqual([]);
});
