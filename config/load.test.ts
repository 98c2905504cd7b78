import { describe, expect, test } from "vitest";
import { isComplete } from "./load.ts";
import { secretValues } from "./secrets.ts";
import { apiToken, cluster, load, noble, problems, setProblems, templateProblems } from "./testing.ts";

describe("a minimal config", () => {
  test("is complete, and everything else has a default", () => {
    const config = load();
    expect(config.problems).toEqual([]);
    expect(config.warnings).toEqual([]);
    expect(isComplete(config)).toBe(true);
    expect(config.cluster).toEqual({
      ...cluster,
      tls: { insecure: false },
      datastores: { images: "local", snippets: "local", disks: "local-lvm" },
      network: { bridge: "vmbr0", dns: { servers: [] } },
      limits: { clonesPerTemplate: 6, clonesPerDatastore: 6 },
    });
    expect(config.cloneSets).toEqual({});
    expect(config.templates.noble).toMatchObject({
      cpu: { cores: 2, sockets: 1, type: "x86-64-v2-AES", numa: false },
      memoryMiB: 2048,
      machine: "q35",
      scsiController: "virtio-scsi-single",
      disk: { sizeGiB: 20, bus: "scsi", discard: true, cache: "none", aio: "io_uring", backup: true },
      extraDisks: [],
      nics: [{ model: "virtio", firewall: false }],
      uefi: { enabled: false, secureBoot: true },
      tpm: { enabled: false, version: "v2.0" },
      gpus: [],
      cloudInit: { ip: "dhcp", packages: [], sshPublicKeys: [], packageUpgrade: false },
      agent: true,
      onBoot: false,
      makeTemplate: true,
    });
  });

  test("with a checksum missing works, but says that nothing is verified", () => {
    const { problems: none, warnings } = load({
      templates: { noble: { vmId: 9000, image: { url: noble.image.url } } },
    });
    expect(none).toEqual([]);
    expect(warnings.map(({ path }) => path)).toEqual(["templates.noble.image"]);
  });

  test.each([[{}], [undefined], [""], ["null"]])("may have %o for templates and clone sets", (nothing) => {
    const config = load({ templates: nothing, cloneSets: nothing });
    expect(config).toMatchObject({ problems: [], templates: {}, cloneSets: {} });
  });

  test("cannot be empty", () => {
    expect(problems({ cluster: undefined, apiToken: undefined, templates: undefined })).toEqual([
      "cluster: missing; expected at least endpoint and node: `npm run setup` writes them, or see docs/by-hand.md",
      expect.stringMatching(/^apiToken: missing; set it with/),
    ]);
  });
});

describe("everything that is wrong", () => {
  test("is reported at once, each with its place, what was found and what would be right", () => {
    const found = problems({
      cluster: { endpoint: "http://pve1:8006", node: "pve 1", ssh: { nodes: { pve1: { address: "a", port: 0 } } } },
      apiToken: "golden@pve!fleet",
      clusters: {},
      templates: {
        noble: { vmId: 9000, image: { url: "https://example.net/noble.img", checksum: "sha256:12" }, memoryMB: 5 },
        jammy: {
          vmId: "9001",
          image: { url: "ftp://example.net/a" },
          cpu: { type: "" },
          nics: [],
          bootOrder: ["disk"],
        },
      },
      cloneSets: { web: { template: "nobel", clones: [{ name: "web_1", vmId: 9000, ip: "10.0.0.0/24" }] } },
    });
    expect(found).toEqual([
      'clusters: unknown key; did you mean "cluster"?',
      'cluster.endpoint: found "http://pve1:8006"; expected the URL of the API, for example https://pve1.example.net:8006',
      expect.stringMatching(/^cluster.ssh.nodes.pve1.port: found 0; expected at least 1$/),
      expect.stringMatching(/^cluster.node: found "pve 1"; expected the name of a node/),
      expect.stringMatching(/^apiToken: the token has no secret; expected user@realm!name=secret/),
      expect.stringMatching(/^templates.noble.image.checksum: found "sha256:12"; expected algorithm:hex/),
      'templates.noble.memoryMB: unknown key; did you mean "memoryMiB"?',
      'templates.jammy.vmId: found "9001"; expected a number',
      'templates.jammy.image.url: found "ftp://example.net/a"; expected an http:// or https:// URL',
      'templates.jammy.cpu.type: found ""; expected a CPU type, for example host or x86-64-v2-AES',
      "templates.jammy.nics: found an empty list; expected at least 1 item",
      'templates.jammy.bootOrder[0]: found "disk"; expected a device, for example scsi0 or net0',
      expect.stringMatching(/^cloneSets.web.clones\[0\].name: found "web_1"; expected a host name/),
    ]);
  });

  test("between the parts is reported beside it, as far as they can be read", () => {
    const found = problems({
      templates: { noble, broken: {} },
      cloneSets: {
        a: { template: "nobel", clones: [{ name: "a", vmId: 9000 }] },
        b: { template: "broken", clones: [{ name: "A", vmId: 9001, ip: "10.0.0.255/24" }] },
      },
    });
    expect(found).toEqual([
      "templates.broken.vmId: missing; expected a number",
      "templates.broken.image: missing; expected a map of keys",
      'cloneSets.a.template: found "nobel", but there is no such template; did you mean "noble"?',
      "cloneSets.a.clones[0].vmId: VMID 9000 is taken by templates.noble.vmId; expected one that nothing else in the config has",
      'cloneSets.b.clones[0].name: "A" is taken by cloneSets.a.clones[0].name; expected a name that no other clone has',
      expect.stringMatching(/^cloneSets.b.clones\[0\].ip: found 10.0.0.255\/24, the broadcast address/),
    ]);
  });
});

describe("a wrong shape", () => {
  test.each([
    ["templates", [], "templates: expected a map of keys"],
    ["templates", "noble", "templates: expected a map of keys"],
    ["cloneSets", 5, "cloneSets: expected a map of keys"],
    ["cluster", "{broken", "cluster: expected a map of keys"],
    ["cluster", null, "cluster: missing; expected at least endpoint and node"],
    ["templates", { noble: [] }, "templates.noble: found an empty list; expected a map of keys"],
    ["templates", { noble: null }, "templates.noble: found null; expected a map of keys"],
    ["templates", { noble: "ubuntu" }, 'templates.noble: found "ubuntu"; expected a map of keys'],
    ["templates", { noble: { ...noble, gpus: {} } }, "templates.noble.gpus: found a map; expected a list"],
    [
      "templates",
      { noble: { ...noble, disk: [20] } },
      "templates.noble.disk: found a list of 1; expected a map of keys",
    ],
    ["templates", { noble: { ...noble, agent: "yes" } }, 'templates.noble.agent: found "yes"; expected true or false'],
    [
      "templates",
      { noble: { ...noble, memoryMiB: 1.5 } },
      "templates.noble.memoryMiB: found 1.5; expected a whole number",
    ],
    ["cloneSets", { web: [] }, "cloneSets.web: found an empty list; expected a map of keys"],
    ["cloneSets", { web: null }, "cloneSets.web: found null; expected a map of keys"],
    ["templates", { "9noble": noble }, 'templates.9noble: found "9noble"; expected a short name'],
  ])("of %s: %j", (name, value, expected) => {
    const found = problems({ [name]: value === null ? "null" : value });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(expected);
  });

  test("of an enumeration lists what there is", () => {
    expect(templateProblems({ machine: "i440fx" })).toEqual([
      'templates.noble.machine: found "i440fx"; expected "q35" or "pc"',
    ]);
  });

  test("of a command says what a command is", () => {
    expect(templateProblems({ cloudInit: { runCommands: [5, {}] } })).toEqual([
      "templates.noble.cloudInit.runCommands[0]: found 5; expected a command as a text or as a list of texts",
      "templates.noble.cloudInit.runCommands[1]: found a map; expected a command as a text or as a list of texts",
    ]);
  });

  test("of the checksum: one of two", () => {
    const image = { url: "https://a/b", checksum: "a".repeat(64), checksumUrl: "https://a/c" };
    expect(templateProblems({ image })).toEqual([
      'templates.noble.image.checksumUrl: found "https://a/c"; expected either checksum or checksumUrl, not both',
    ]);
  });

  test("of a GPU: exactly one of mapping and id", () => {
    expect(templateProblems({ gpus: [{}] })).toEqual([
      "templates.noble.gpus[0]: found a map; expected exactly one of mapping and id",
    ]);
  });

  test("of a network-config says that version is missing, or where it stands", () => {
    const network = (value: unknown) => templateProblems({ cloudInit: { network: value } });
    expect(network({ version: 2, ethernets: {} })).toEqual([]);
    expect(network({ version: 1, config: [] })).toEqual([]);
    expect(network({ ethernets: {} })).toEqual(["templates.noble.cloudInit.network.version: missing; expected 1 or 2"]);
    expect(network({ version: 3 })).toEqual(["templates.noble.cloudInit.network.version: found 3; expected 1 or 2"]);
    expect(network({ network: { version: 2 } })).toEqual([
      "templates.noble.cloudInit.network.version: missing; expected 1 or 2, without a `network` key around it",
    ]);
  });
});

describe("unknown keys", () => {
  test.each([
    [{ disk: { sizeGB: 20 } }, 'templates.noble.disk.sizeGB: unknown key; did you mean "sizeGiB"?'],
    [{ nics: [{ brige: "a" }] }, 'templates.noble.nics[0].brige: unknown key; did you mean "bridge"?'],
    [{ tpm: { on: true } }, "templates.noble.tpm.on: unknown key; expected one of enabled, version, datastore"],
    [
      { cloudInit: { writeFiles: [{ path: "/a", content: "", mode: "1" }] } },
      "templates.noble.cloudInit.writeFiles[0].mode: unknown key; expected one of path, content, permissions, owner, append, defer",
    ],
  ])("%o", (fields, expected) => {
    expect(templateProblems(fields)).toEqual([expected]);
  });

  test("in a clone set are held against the kind of set that was meant", () => {
    expect(setProblems({ clones: [], modee: "full" })).toEqual([
      'cloneSets.web.modee: unknown key; did you mean "mode"?',
    ]);
    expect(setProblems({ count: 1, namePatern: "w-{n}", namePattern: "w-{n}", firstVmId: 9100 })).toEqual([
      'cloneSets.web.namePatern: unknown key; did you mean "namePattern"?',
    ]);
  });

  test("of the stack", () => {
    expect(problems({ apiTokn: apiToken })).toEqual(['apiTokn: unknown key; did you mean "apiToken"?']);
  });
});

describe("secrets are never shown", () => {
  const PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----";
  test.each([
    [{ templates: { noble: { ...noble, cloudInit: { password: 12345 } } } }, "12345"],
    [{ templates: { noble: { ...noble, cloudInit: { pasword: "hunter2" } } } }, "hunter2"],
    [{ templates: { noble: { ...noble, cloudInit: [{ password: "hunter2" }] } } }, "hunter2"],
    [{ templates: [{ cloudInit: { password: "hunter2" } }] }, "hunter2"],
    [{ templates: { noble: { ...noble, cloudInit: { sshPublicKeys: PRIVATE } } } }, "PRIVATE KEY-----"],
    [{ templates: { noble: { ...noble, cloudInit: { sshPublicKeys: [PRIVATE] } } } }, "c2VjcmV0"],
    [{ templates: { noble: { ...noble, cloudInit: { sshPublicKeyFile: PRIVATE } } } }, "c2VjcmV0"],
    [{ cluster: { ...cluster, ssh: { privateKeyFile: PRIVATE } } }, "c2VjcmV0"],
    [{ cluster: { ...cluster, endpoint: "https://root:hunter2@pve1:8006" } }, "hunter2"],
    [{ templates: { noble: { ...noble, image: { url: "ftp://me:hunter2@example.net/a.img" } } } }, "hunter2"],
    [{ apiToken: "golden-pve-fleet-hunter2" }, "hunter2"],
    [{ apiToken: undefined, username: "root", password: "hunter2" }, "hunter2"],
  ])("%j", (config, secret) => {
    const found = problems(config);
    expect(found).not.toEqual([]);
    expect(found.join("\n")).not.toContain(secret);
  });

  test("nor is any other value that is encrypted, in whatever way it is wrong", () => {
    const templates = {
      noble: {
        vmId: 9000,
        image: { url: "https://example.net/hunter2.xz" },
        memoryMiB: "hunter2",
        cloudInit: { runCommands: ["true", "hunter2"], writeFiles: [{ path: "hunter2", content: 5 }] },
      },
    };
    const cipher = { secure: "v1:abc" };
    const written = {
      noble: {
        vmId: 9000,
        image: { url: cipher },
        memoryMiB: cipher,
        cloudInit: { runCommands: ["true", cipher], writeFiles: [{ path: cipher, content: 5 }] },
      },
    };
    const { problems } = load({ templates }, {}, secretValues(templates, written, ["templates"]));
    expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      "templates.noble.memoryMiB: found the value (secret); expected a number",
      "templates.noble.cloudInit.writeFiles[0].path: found the value (secret); expected an absolute path of the guest",
      "templates.noble.cloudInit.writeFiles[0].content: found 5; expected a text",
    ]);
    const url = { noble: { vmId: 9000, image: templates.noble.image } };
    const compressed = load({ templates: url }, {}, secretValues(url, undefined, ["templates"])).problems;
    expect(compressed.map(({ message }) => message).join()).toMatch(/^found the value \(secret\), compressed \(xz\)/);
  });

  test("but a template whose name sounds like one still shows what was found", () => {
    expect(problems({ templates: { "token-server": { ...noble, vmId: 5 } } })).toEqual([
      "templates.token-server.vmId: found 5; expected at least 100",
    ]);
  });
});

test("files of the connection must be readable", () => {
  const found = problems({
    cluster: { ...cluster, tls: { caFile: "/no/such/ca.pem" }, ssh: { privateKeyFile: "/" } },
  });
  expect(found).toEqual([
    'cluster.tls.caFile: found "/no/such/ca.pem"; cannot read /no/such/ca.pem: there is no such file',
    'cluster.ssh.privateKeyFile: found "/"; cannot read /: it is a folder',
  ]);
});

test("how many clones may go is a number, in the config or the environment", () => {
  expect(load({ allowDeletes: "30" }).allowDeletes).toBe(30);
  expect(load({}, { GOLDEN_FLEET_ALLOW_DELETES: "5" }).allowDeletes).toBe(5);
  expect(load({ allowDeletes: "30" }, { GOLDEN_FLEET_ALLOW_DELETES: "50" }).allowDeletes).toBe(50);
  expect(load({}, { GOLDEN_FLEET_ALLOW_DELETES: "" }).allowDeletes).toBeUndefined();
  expect(load().allowDeletes).toBeUndefined();
  expect(problems({ allowDeletes: "yes" })).toEqual([
    "allowDeletes: found yes; expected the number of clones that one run may delete",
  ]);
  expect(problems({}, { GOLDEN_FLEET_ALLOW_DELETES: "-1" })).toEqual([
    "GOLDEN_FLEET_ALLOW_DELETES: found -1; expected the number of clones that one run may delete",
  ]);
});
