import { expect, test } from "vitest";
import { load } from "./testing.ts";

const FINGERPRINT = "SHA256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ";
const LINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJAG0Mdk7CHH7vmbiJRDRIA1X8M0EZGvbgRmE3ilrU/y";

const ssh = (section: object) =>
  load({ cluster: { endpoint: "https://pve1.example.net:8006", node: "pve1", ssh: section } });
const problems = (section: object) => ssh(section).problems.map(({ path, message }) => `${path}: ${message}`);

test("a host key is a fingerprint or a public line, and one may be a list of several", () => {
  const { cluster, problems } = ssh({
    hostKey: FINGERPRINT,
    nodes: { pve1: { address: "10.0.0.11", hostKey: [`${LINE} root@pve1`, FINGERPRINT] }, pve2: { hostKey: LINE } },
  });
  expect(problems).toEqual([]);
  expect(cluster?.ssh).toMatchObject({
    hostKey: [FINGERPRINT],
    nodes: { pve1: { hostKey: [`${LINE} root@pve1`, FINGERPRINT] }, pve2: { hostKey: [LINE] } },
  });
});

test.each([
  ["MD5:2b:f3:9a:2b:f3:9a:2b:f3:9a:2b:f3:9a:2b:f3:9a:2b"],
  ["SHA256:LPJN"],
  [`256 ${FINGERPRINT} root@pve1 (ED25519)`],
  [`pve1 ${LINE}`],
  [LINE.replace("ssh-ed25519", "ssh-rsa")],
  ["ssh-ed25519"],
])("%s is none", (text) => {
  expect(problems({ hostKey: text })).toEqual([
    expect.stringMatching(/^cluster\.ssh\.hostKey: found .*; expected the fingerprint of a host key, "SHA256:…", or/),
  ]);
});

test("what is wrong in a list is told at its place, and what is no text as well", () => {
  expect(problems({ nodes: { pve1: { hostKey: [FINGERPRINT, "SHA256:LPJN"] } } })).toEqual([
    expect.stringMatching(/^cluster\.ssh\.nodes\.pve1\.hostKey\[1\]: found "SHA256:LPJN"; expected the fingerprint/),
  ]);
  expect(problems({ hostKey: [] })).toEqual(["cluster.ssh.hostKey: found an empty list; expected at least 1 item"]);
  expect(problems({ hostKey: 12 })).toEqual([
    expect.stringMatching(/^cluster\.ssh\.hostKey: found 12; expected the fingerprint .*, or a list of them$/),
  ]);
});

test("a node needs no address, but with another port than 22 the plugin does", () => {
  expect(problems({ nodes: { pve1: { hostKey: FINGERPRINT } } })).toEqual([]);
  expect(problems({ nodes: { pve1: { port: 2222 } } })).toEqual([
    "cluster.ssh.nodes.pve1.address: missing; expected the node's address beside its port",
  ]);
});
