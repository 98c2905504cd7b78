import { expect, test } from "vitest";
import { SshError } from "../../../../proxmox/nodeFolder.ts";
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
  ["host-key", "cluster.ssh.nodes.pve1", /ssh-keygen -R/],
  ["refused", "cluster.ssh.nodes.pve1", /address and port/],
] as const)("%s is told at %s", async (code, path, todo) => {
  const [finding] = await sshLogin.run(refusing(new SshError(code, "it is so")));
  expect(finding).toMatchObject({ status: "fail", path, message: "SSH to node pve1 as root: it is so" });
  expect(finding?.todo?.[0]).toMatch(todo);
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

test("without templates there are no snippets, and nobody is asked", async () => {
  const facts = { ...refusing(new SshError("auth", "asked")), fleet: fakeFleet({ templates: {}, cloneSets: {} }) };
  expect(await sshLogin.run(facts)).toEqual([]);
  expect(await snippetsWritable.run(facts)).toEqual([]);
});
