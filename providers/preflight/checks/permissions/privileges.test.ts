import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PUBLIC_KEY } from "../../../../config/testing.ts";
import type { Permissions } from "../../../../proxmox/cluster.ts";
import type { GuestEntry } from "../../../../proxmox/guests.ts";
import { privilegesOn } from "../../../../proxmox/permissions.ts";
import { fakeFacts, fakeFleet } from "../../fakeFacts.ts";
import { requirementsOf } from "../../requirements.ts";
import { privileges } from "./privileges.ts";

/** Everything that a config can need. */
const everything = fakeFleet({
  templates: {
    noble: {
      vmId: 9000,
      image: { url: "http://m/n.img", keepImage: false },
      pool: "golden",
      cpu: { type: "custom-fast" },
      gpus: [{ mapping: "rtx4090" }],
      nics: [{ vlan: 7 }],
    },
    plain: { vmId: 9001, image: { url: "http://m/n.img" }, makeTemplate: false },
    keyed: { vmId: 9002, image: { url: "http://m/n.img" }, cloudInit: { user: "ops", sshPublicKeys: [PUBLIC_KEY] } },
  },
  cloneSets: {
    web: {
      template: "noble",
      nodes: ["pve1", "pve2"],
      placement: "memory",
      pool: "web",
      cores: 4,
      memoryMiB: 4096,
      diskGiB: 40,
      nics: [{ bridge: "vmbr1", vlan: 8 }],
      waitFor: "agent",
      clones: [{ name: "web-1", vmId: 9101 }],
    },
    db: { template: "noble", waitFor: "cloud-init", clones: [{ name: "db-1", vmId: 9201 }] },
    app: { template: "noble", mode: "full", snapshotBefore: "update", clones: [{ name: "app-1", vmId: 9301 }] },
    key: { template: "keyed", rotateKeys: true, clones: [{ name: "key-1", vmId: 9401 }] },
  },
});
const at9 = {
  version: { version: "9.2.11", release: "9.2" },
  guests: new Map<number, GuestEntry>(),
  zoneOf: () => "localnetwork",
};
const needsOf = (fleet = fakeFleet(), around = at9) =>
  requirementsOf(fleet, around).map(({ path, privilege }) => `${path} ${privilege}`);

const role = JSON.parse(readFileSync(`${import.meta.dirname}/../../../../lab/fleet-role.json`, "utf8")) as Record<
  string,
  string[]
>;
/** As the lab's user holds it: paths with everything passed on. */
const granted: Permissions = Object.fromEntries(
  Object.entries(role).map(([path, names]) => [path, Object.fromEntries(names.map((name) => [name, 1]))]),
);

test("a fleet without snippets needs nothing on their datastore", () => {
  const datastores = { snippets: "cifs" };
  const onIt = (cluster: object) =>
    needsOf(fakeFleet({ cluster: { datastores, ...cluster } })).filter((one) => one.includes("cifs"));
  expect(onIt({})).toEqual(["/storage/cifs Datastore.Allocate", "/storage/cifs Datastore.Audit"]);
  expect(onIt({ ssh: undefined })).toEqual([]);
});

test("the privileges of a small config, path by path", () => {
  expect(needsOf()).toEqual([
    ...[
      ...["VM.Allocate", "VM.Audit", "VM.Config.CDROM", "VM.Config.CPU", "VM.Config.Cloudinit", "VM.Config.Disk"],
      ...["VM.Config.HWType", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options", "VM.PowerMgmt", "VM.Clone"],
    ].map((name) => `/vms/9000 ${name}`),
    "/nodes/pve1 Sys.AccessNetwork",
    "/storage/local Datastore.AllocateTemplate",
    "/storage/local Datastore.Audit",
    "/storage/local Datastore.Allocate",
    ...["VM.Allocate", "VM.Audit", "VM.Config.HWType", "VM.Config.Options", "VM.PowerMgmt", "VM.Config.Cloudinit"].map(
      (name) => `/vms/9101 ${name}`,
    ),
    "/ Sys.Audit",
    "/storage/local-lvm Datastore.AllocateSpace",
    "/storage/local-lvm Datastore.Audit",
    "/sdn/zones/localnetwork/vmbr0 SDN.Use",
  ]);
});

test("what only some configs need", () => {
  const needs = needsOf(everything);
  for (const one of [
    "/pool/golden Pool.Audit",
    "/nodes Sys.Audit",
    "/mapping/pci/rtx4090 Mapping.Use",
    "/sdn/zones/localnetwork/vmbr0/7 SDN.Use",
    "/vms/9001 VM.GuestAgent.Audit",
    "/pool/web Pool.Audit",
    "/nodes/pve2 Sys.Audit",
    "/sdn/zones/localnetwork/vmbr1/8 SDN.Use",
    ...["VM.Config.CPU", "VM.Config.Disk", "VM.Config.Memory", "VM.Config.Network", "VM.Migrate"].map(
      (name) => `/vms/9101 ${name}`,
    ),
    "/vms/9101 VM.GuestAgent.Audit",
    "/vms/9201 VM.GuestAgent.Unrestricted",
    "/vms/9301 VM.Snapshot",
    "/vms/9401 VM.GuestAgent.Unrestricted",
  ])
    expect(needs).toContain(one);
  expect(needs.filter((one) => one.startsWith("/vms/9201 "))).not.toContain("/vms/9201 VM.Migrate");
  expect(needs.filter((one) => one.endsWith("VM.Snapshot"))).toEqual(["/vms/9301 VM.Snapshot"]);
  expect(needs).not.toContain("/vms/9000 VM.GuestAgent.Audit");
  const at8 = needsOf(everything, { ...at9, version: { version: "8.4.1", release: "8.4" } });
  expect(at8).toContain("/vms/9001 VM.Monitor");
  expect(at8).toEqual(expect.arrayContaining(["/vms/9101 VM.Monitor", "/vms/9201 VM.Monitor"]));
  expect(at8.filter((one) => one.includes("GuestAgent"))).toEqual([]);
});

test("disks of clones take the right to make them; those that are kept, rights on the VM that holds them", () => {
  const clones = [{ name: "web-1", vmId: 9101, extraDisks: [{ sizeGiB: 8, datastore: "hdd" }] }];
  const of = (set: object) =>
    needsOf(fakeFleet({ cloneSets: { web: { template: "noble", clones, ...set } } })).filter((one) =>
      /^.vms VM|9101 VM.Config.Disk|hdd/.test(one),
    );
  const own = ["/storage/hdd Datastore.AllocateSpace", "/storage/hdd Datastore.Audit"];
  expect(of({})).toEqual(["/vms/9101 VM.Config.Disk", ...own]);
  expect(of({ keepDisks: true })).toEqual([
    "/vms/9101 VM.Config.Disk",
    ...["VM.Allocate", "VM.Audit", "VM.Config.Disk", "VM.Config.Options"].map((name) => `/vms ${name}`),
    ...own,
  ]);
  const inPool = fakeFleet({ cloneSets: { web: { template: "noble", clones, keepDisks: true, pool: "web" } } });
  expect(requirementsOf(inPool, at9)).toContainEqual({
    path: "/vms",
    privilege: "VM.Allocate",
    grant: "/pool/web",
    or: [{ path: "/pool/web", privileges: ["VM.Allocate"] }],
  });
});

test("the lab's role has everything that a config can need", () => {
  const missing = requirementsOf(everything, at9).filter(
    ({ path, privilege }) => !privilegesOn(granted, path).has(privilege),
  );
  expect(missing).toEqual([]);
});

test("missing privileges come by path, with the lines that grant them", async () => {
  const { "/vms": vms, ...others } = granted;
  const { "VM.Clone": _clone, "VM.Config.HWType": _type, ...rest } = vms ?? {};
  const findings = await privileges.run(fakeFacts({ permissions: async () => ({ ...others, "/vms": rest }) }));
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({
    status: "fail",
    message: "token fleet@pve!golden lacks VM.Clone and VM.Config.HWType on /vms (looked at /vms/9000 and /vms/9101)",
    todo: [
      'pveum role add GoldenFleetVms --privs "VM.Allocate VM.Audit VM.Clone VM.Config.CDROM VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.PowerMgmt"',
      "pveum acl modify /vms --roles GoldenFleetVms --users fleet@pve --tokens 'fleet@pve!golden'",
    ],
  });
});

test("the privilege to ask an agent for addresses by DHCP is offered, not demanded, where the config does not say waitFor", async () => {
  const fleet = (set: object) =>
    fakeFleet({
      templates: {
        noble: { vmId: 9000, image: { url: "http://m/n.img" }, cloudInit: { packages: ["qemu-guest-agent"] } },
      },
      cloneSets: { web: { template: "noble", clones: [{ name: "web-1", vmId: 9101 }], ...set } },
    });
  const agentNeeds = (set: object) =>
    requirementsOf(fleet(set), at9).filter(({ privilege }) => privilege === "VM.GuestAgent.Audit");
  expect(agentNeeds({})).toMatchObject([{ path: "/vms/9101", optional: "the addresses that clones get by DHCP" }]);
  expect(agentNeeds({ waitFor: "agent" })).toMatchObject([{ path: "/vms/9101" }]);
  expect(agentNeeds({ waitFor: "agent" })[0]).not.toHaveProperty("optional");
  expect(agentNeeds({ waitFor: "started" })).toEqual([]);
  const own = [{ name: "web-1", vmId: 9101, ip: "10.0.0.21/24" }];
  expect(agentNeeds({ clones: own })).toEqual([]);
});

test("a login without any privilege gets a line for each path", async () => {
  const findings = await privileges.run(fakeFacts());
  expect(findings.map(({ todo }) => todo?.[1]?.split(" ")[3])).toEqual([
    "/",
    "/nodes/pve1",
    "/sdn/zones/localnetwork/vmbr0",
    "/storage/local",
    "/storage/local-lvm",
    "/vms",
  ]);
});

test("without Sys.Audit on / nobody knows of the quorum, which stops nothing", async () => {
  const { "/": _root, ...others } = granted;
  expect(await privileges.run(fakeFacts({ permissions: async () => others }))).toMatchObject([
    {
      status: "note",
      message: "token fleet@pve!golden lacks Sys.Audit on /, so this cannot be told: whether the cluster has quorum",
      todo: [expect.any(String), expect.stringMatching(/^pveum acl modify \/ .* --propagate 0$/)],
    },
  ]);
});

test("a VM with ACLs of its own gets its line there", async () => {
  const permissions = async () => ({ ...granted, "/vms/9101": { "VM.Audit": 1 } });
  const [finding] = await privileges.run(fakeFacts({ permissions }));
  expect(finding?.todo?.[1]).toContain("pveum acl modify /vms/9101 ");
});

test("Sys.Audit and Sys.Modify on / are as good as Sys.AccessNetwork on the node, and a pool's privileges as a VM's", async () => {
  const { "/nodes": _nodes, "/vms": vms = {}, ...others } = granted;
  const permissions = async () => ({
    ...others,
    "/": { "Sys.Audit": 0, "Sys.Modify": 0 },
    "/pool/golden": { ...vms, "Pool.Audit": 1, "Pool.Allocate": 1 },
    "/sdn/zones/localnetwork": { "SDN.Use": 1 },
  });
  const fleet = fakeFleet({
    templates: { noble: { vmId: 9000, image: { url: "http://m/n.img" }, pool: "golden" } },
    cloneSets: {},
  });
  expect(await privileges.run(fakeFacts({ fleet, permissions }))).toMatchObject([{ status: "pass" }]);
});

describe("a login with rights on its pool alone", () => {
  const VM = { ...granted["/vms"] };
  const { "/vms": _vms, "/pool": _pool, ...passedOn } = granted;
  const others = { ...passedOn, "/": { "Sys.Audit": 0 } };
  const pool = "prod/web";
  const fleet = fakeFleet({
    templates: { noble: { vmId: 9000, image: { url: "http://m/n.img" }, pool } },
    cloneSets: { web: { template: "noble", pool, clones: [{ name: "web-1", vmId: 9101 }] } },
  });
  const run = (path: string, guests: GuestEntry[] = [], more: Permissions = {}) => {
    const permissions = async () => ({ ...others, [path]: { ...VM, "Pool.Audit": 1 }, ...more });
    return privileges.run(fakeFacts({ fleet, permissions, guests: async () => guests }));
  };
  const vm = (more: Partial<GuestEntry>): GuestEntry => ({ vmid: 9101, node: "pve1", type: "qemu", ...more });

  test("makes template and clones there, also where the pool is in another", async () => {
    expect(await run("/pool/prod/web")).toMatchObject([{ status: "pass" }]);
    expect(await run("/pool/prod")).toMatchObject([{ status: "pass" }]);
    expect(await run("/pool/prod/web", [vm({ pool })])).toMatchObject([{ status: "pass" }]);
    expect(await run("/pool/test")).not.toMatchObject([{ status: "pass" }]);
  });

  test("gets the lines for that pool, with all that is needed on it", async () => {
    const { "VM.Clone": _clone, ...rest } = VM;
    const permissions = async () => ({ ...others, "/pool/prod/web": { ...rest, "Pool.Audit": 1 }, "/vms/9000": rest });
    const [finding, ...more] = await privileges.run(fakeFacts({ fleet, permissions }));
    expect(more).toEqual([]);
    expect(finding?.message).toMatch(/lacks VM\.Clone on \/pool\/prod\/web \(looked at \/vms\/9000\)$/);
    expect(finding?.todo).toEqual([
      expect.stringMatching(/^pveum role add GoldenFleetPoolProdWeb --privs "Pool\.Audit VM\.Allocate .*VM\.Clone /),
      expect.stringMatching(/^pveum acl modify \/pool\/prod\/web --roles GoldenFleetPoolProdWeb /),
    ]);
  });

  test("takes a VM out of another pool only with rights on it and on both pools", async () => {
    const messages = async (more?: Permissions) =>
      (await run("/pool/prod/web", [vm({ pool: "test" })], more)).map(({ message }) => message);
    expect(await messages()).toEqual([
      expect.stringMatching(/lacks Pool\.Allocate on \/pool\/prod\/web$/),
      expect.stringMatching(/lacks Pool\.Allocate on \/pool\/test$/),
      expect.stringMatching(/lacks VM\.Allocate on \/vms \(looked at \/vms\/9101\)$/),
    ]);
    const both = { "Pool.Allocate": 1, "Pool.Audit": 1 };
    const more = { "/pool/prod/web": { ...VM, ...both }, "/pool/test": both, "/vms/9101": { "VM.Allocate": 0 } };
    expect(await messages(more)).toEqual([expect.stringMatching(/privileges are there$/)]);
  });
});
