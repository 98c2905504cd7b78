import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ConfigError } from "../config/problem.ts";
import { type Answers, configOf, fleetOf } from "./answers.ts";
import { stackText } from "./stackText.ts";

const answers: Answers = {
  endpoint: "https://pve1.example.net:8006",
  caFile: "./home-ca.pem",
  node: "pve1",
  datastores: { images: "local", disks: "local-lvm" },
  bridge: "vmbr0",
  template: {
    key: "noble",
    vmId: 9000,
    image: { url: "https://img.example/noble.img", checksumUrl: "https://img.example/SHA256SUMS" },
    user: "ubuntu",
    publicKey: { line: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFMLsMRsVZrVPNDZMFqJTVJTWYqLlUrVTwVjeqpsiSaU me@here" },
  },
  set: { key: "web", count: 2, firstVmId: 9101, mode: "linked" },
};

describe("the config of a new stack", () => {
  it("spells no default out", () => {
    expect(configOf(answers)).toEqual({
      cluster: { endpoint: answers.endpoint, tls: { caFile: "./home-ca.pem" }, node: "pve1" },
      templates: {
        noble: {
          vmId: 9000,
          image: answers.template.image,
          cloudInit: { user: "ubuntu", sshPublicKeys: [expect.stringMatching(/^ssh-ed25519 /)] },
        },
      },
      cloneSets: { web: { template: "noble", count: 2, namePattern: "web-{n}", firstVmId: 9101 } },
    });
  });

  it("has what is not the default", () => {
    const config = configOf({
      ...answers,
      datastores: { images: "nas", disks: "zfs", snippets: "local" },
      bridge: "vmbr1",
      ssh: { username: "fleet", hostKeys: ["SHA256:abc"], address: "10.0.0.9", port: 22 },
      set: { ...answers.set, mode: "full", ipRange: "10.0.0.21-10.0.0.30/24", gateway: "10.0.0.1" },
    });
    expect(config.cluster).toMatchObject({
      datastores: { images: "nas", disks: "zfs" },
      network: { bridge: "vmbr1" },
      ssh: { username: "fleet", nodes: { pve1: { address: "10.0.0.9", hostKey: "SHA256:abc" } } },
    });
    expect(config.templates.noble).toMatchObject({ cloudInit: { packages: ["qemu-guest-agent"] } });
    expect(config.cloneSets.web).toMatchObject({
      mode: "full",
      waitFor: "agent",
      ipRange: "10.0.0.21-10.0.0.30/24",
      gateway: "10.0.0.1",
    });
  });

  it("pins the host key of the node that was looked at, and of no other", () => {
    const { cluster } = configOf({ ...answers, ssh: { username: "root", hostKeys: ["SHA256:abc", "SHA256:def"] } });
    expect(cluster.ssh).toEqual({ nodes: { pve1: { hostKey: ["SHA256:abc", "SHA256:def"] } } });
  });

  it("without clones has no set, and is one that the program reads", () => {
    expect(configOf({ ...answers, set: { ...answers.set, count: 0 } }).cloneSets).toEqual({});
    expect(fleetOf(configOf(answers)).cloneSets.web?.clones.map(({ name }) => name)).toEqual(["web-1", "web-2"]);
  });

  it("that the program cannot read is an error with its places", () => {
    const config = configOf({ ...answers, template: { ...answers.template, user: "Root!" } });
    expect(() => fleetOf(config)).toThrow(ConfigError);
    expect(() => fleetOf(config)).toThrow(/templates\.noble\.cloudInit\.user/);
  });
});

it("a stack file says what else there is, and holds the config, the token and what Pulumi encrypts with", () => {
  const config = configOf(answers);
  const text = stackText("home", config, { apiToken: { secure: "v1:abc" }, provider: { encryptionsalt: "v1:salt" } });
  expect(parse(text)).toEqual({
    config: {
      "proxmox-golden-fleet:cluster": config.cluster,
      "proxmox-golden-fleet:apiToken": { secure: "v1:abc" },
      "proxmox-golden-fleet:templates": config.templates,
      "proxmox-golden-fleet:cloneSets": config.cloneSets,
    },
    encryptionsalt: "v1:salt",
  });
  for (const page of ["configuration", "templates", "clones", "images"]) expect(text).toContain(`docs/${page}.md`);
  expect(text).toContain("    tls: { caFile: ./home-ca.pem }\n");
});
