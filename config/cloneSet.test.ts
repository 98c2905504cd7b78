import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { load, noble, problems, setProblems } from "./testing.ts";

const counted = { count: 3, namePattern: "web-{n}", firstVmId: 9101 };
const clones = (fields: Record<string, unknown>) => {
  const config = load({ cloneSets: { web: { template: "noble", ...fields } } });
  expect(config.problems).toEqual([]);
  return config.cloneSets.web?.clones.map(({ name, vmId, ip, gateway }) => ({ name, vmId, ip, gateway }));
};

test("a listed clone has DHCP unless it says otherwise", () => {
  expect(clones({ clones: [{ name: "web-1", vmId: 9101 }] })).toEqual([{ name: "web-1", vmId: 9101, ip: "dhcp" }]);
});

test("a counted set is spelled out", () => {
  const range = { ipRange: "10.0.0.254-10.0.1.0/16", gateway: "10.0.0.1" };
  expect(clones({ ...counted, ...range })).toEqual([
    { name: "web-1", vmId: 9101, ip: "10.0.0.254/16", gateway: "10.0.0.1" },
    { name: "web-2", vmId: 9102, ip: "10.0.0.255/16", gateway: "10.0.0.1" },
    { name: "web-3", vmId: 9103, ip: "10.0.1.0/16", gateway: "10.0.0.1" },
  ]);
  expect(clones(counted)?.[2]).toEqual({ name: "web-3", vmId: 9103, ip: "dhcp" });
});

const setOf = (fields: Record<string, unknown>) => {
  const config = load({ cloneSets: { web: { template: "noble", ...fields } } });
  expect(config.problems).toEqual([]);
  return config.cloneSets.web;
};

test("a counted set names the VMIDs whose VMs it takes over, and no other VMs", () => {
  expect(setOf({ ...counted, adopt: [9103] })?.clones.map(({ adopt }) => adopt)).toEqual([false, false, true]);
  expect(setProblems({ ...counted, adopt: [9101, 9104] })).toEqual([
    "cloneSets.web.adopt[1]: found 9104; expected a VMID of the set, 9101 to 9103",
  ]);
});

test("defaults of a set", () => {
  expect(setOf({ clones: [] })).toEqual({
    template: "noble",
    mode: "linked",
    nodes: ["pve1"],
    placement: "spread",
    start: true,
    onBoot: false,
    readyTimeoutSeconds: 300,
    shutdownSeconds: 60,
    tags: [],
    description: "",
    nics: [],
    onError: "continue",
    onTemplateChange: "ignore",
    maxUnavailable: 1,
    rebootOnChange: false,
    snapshotKeepDays: 7,
    rotateKeys: false,
    clones: [],
  });
});

test("a clone's own disks take the place of its set's; each has a size", () => {
  const own = { name: "web-2", vmId: 9102, extraDisks: [{ sizeGiB: 5, bus: "sata" }], keepDisks: false };
  const set = setOf({ extraDisks: [{ sizeGiB: 1 }], keepDisks: true, clones: [{ name: "web-1", vmId: 9101 }, own] });
  const sizes = set?.clones.map(({ extraDisks, keepDisks }) => [extraDisks?.map(({ sizeGiB }) => sizeGiB), keepDisks]);
  expect(sizes).toEqual([
    [[1], true],
    [[5], false],
  ]);
  expect(setProblems({ ...counted, extraDisks: [{}] })).toEqual([
    expect.stringMatching(/^cloneSets\.web\.extraDisks\[0\]\.sizeGiB: .*missing|expected/),
  ]);
  expect(setProblems({ ...counted, extraDisks: [{ sizeGiB: 0 }], keepDisks: "yes" })).toHaveLength(2);
});

test("clones run where the template is, unless the set names nodes", () => {
  const on = { ...noble, node: "pve2" };
  const nodes = (fields: object) =>
    load({ templates: { noble: on }, cloneSets: { web: { template: "noble", clones: [], ...fields } } }).cloneSets.web
      ?.nodes;
  expect(nodes({})).toEqual(["pve2"]);
  expect(nodes({ nodes: ["pve3", "pve1"] })).toEqual(["pve3", "pve1"]);
});

test("a clone takes from its set what it does not say itself; tags add up, interfaces go by position", () => {
  const set = setOf({
    cores: 4,
    memoryMiB: 4096,
    description: "of the web",
    tags: ["web", "prod"],
    nics: [{ bridge: "vmbr1", vlan: 7 }],
    clones: [
      { name: "web-1", vmId: 9101 },
      {
        name: "web-2",
        vmId: 9102,
        node: "pve2",
        cores: 8,
        diskGiB: 40,
        description: "",
        tags: ["prod", "canary"],
        nics: [{ vlan: 8 }],
        adopt: true,
      },
    ],
  });
  expect(set?.clones).toEqual([
    {
      path: "cloneSets.web.clones[0]",
      name: "web-1",
      vmId: 9101,
      ip: "dhcp",
      cores: 4,
      memoryMiB: 4096,
      description: "of the web",
      tags: ["web", "prod"],
      nics: [{ bridge: "vmbr1", vlan: 7 }],
      adopt: false,
    },
    {
      path: "cloneSets.web.clones[1]",
      name: "web-2",
      vmId: 9102,
      ip: "dhcp",
      node: "pve2",
      cores: 8,
      memoryMiB: 4096,
      diskGiB: 40,
      description: "",
      tags: ["web", "prod", "canary"],
      nics: [{ bridge: "vmbr1", vlan: 8 }],
      adopt: true,
    },
  ]);
});

test("a counted set gives its values to all its clones, and may have IPv6 addresses", () => {
  const ip6 = { ip6Range: "2001:db8::21-2001:db8::70/64", gateway6: "fe80::1" };
  expect(setOf({ ...counted, ...ip6, cores: 4, tags: ["web"] })?.clones[1]).toEqual({
    path: "cloneSets.web",
    name: "web-2",
    vmId: 9102,
    ip: "dhcp",
    ip6: "2001:db8::22/64",
    gateway6: "fe80::1",
    from: { gateway6: "cloneSets.web.gateway6" },
    cores: 4,
    description: "",
    tags: ["web"],
    nics: [],
    adopt: false,
  });
});

test.each([
  ["web-{n}", "web-1", "web-3"],
  ["web-{n:3}", "web-001", "web-003"],
  ["{n:2}.web{n}.example", "01.web1.example", "03.web3.example"],
])("the names of %s", (namePattern, first, third) => {
  const names = clones({ ...counted, namePattern })?.map(({ name }) => name);
  expect([names?.[0], names?.[2]]).toEqual([first, third]);
});

test("a width does not cut a longer number", () => {
  expect(clones({ ...counted, count: 1000, namePattern: "w{n:2}" })?.at(-1)?.name).toBe("w1000");
});

test("none and 500 and 1000 clones, and a limit against typos", () => {
  expect(clones({ ...counted, count: 0 })).toEqual([]);
  expect(clones({ ...counted, count: 500 })).toHaveLength(500);
  expect(clones({ ...counted, count: 1000, ipRange: "10.0.1.1-10.0.9.255/16" })).toHaveLength(1000);
  expect(setProblems({ ...counted, count: 5001 })).toEqual(["cloneSets.web.count: found 5001; expected at most 5000"]);
});

test("createClones: false leaves the set out, but its text is still checked", () => {
  const config = load({ cloneSets: { web: { template: "noble", createClones: false, ...counted } } });
  expect(config.cloneSets).toEqual({});
  expect(config.leftOut.web?.clones.map(({ vmId }) => vmId)).toEqual([9101, 9102, 9103]);
  expect(setProblems({ createClones: false, ...counted, count: -1 })).toHaveLength(1);
});

test("createClones: keep has the clones of the list, which no change of the template reaches", () => {
  const set = { template: "noble", createClones: "keep", onTemplateChange: "replace", ...counted };
  expect(load({ cloneSets: { web: set } }).cloneSets.web).toMatchObject({
    keep: true,
    onTemplateChange: "ignore",
    clones: [{ vmId: 9101 }, { vmId: 9102 }, { vmId: 9103 }],
  });
  expect(setProblems({ ...counted, createClones: "no" })).toEqual([
    'cloneSets.web.createClones: found "no"; expected true, false or "keep"',
  ]);
});

test("what is left out is in nobody's way, and its template may be gone", () => {
  const set = { template: "noble", ...counted, ipRange: "10.0.0.21-10.0.0.70/24" };
  const cloneSets = { web: set, old: { ...set, template: "jammy", createClones: false } };
  expect(problems({ cloneSets })).toEqual([]);
});

describe("what is wrong with a counted set is said once, with the key that it comes from", () => {
  test.each([
    [{ namePattern: "web" }, 'namePattern: found "web"; expected a pattern with {n}, for example "web-{n}"'],
    [{ namePattern: "web_{n}" }, 'namePattern: found "web_{n}"; expected a pattern that makes host names'],
    [{ namePattern: "-{n}" }, 'namePattern: found "-{n}"; expected a pattern that makes host names'],
    [{ namePattern: `${"a".repeat(62)}{n}`, count: 10 }, "namePattern: found"],
    [{ firstVmId: 999_999_998 }, "firstVmId: found 999999998 with 3 clones; expected VMIDs up to 999999999"],
    [{ ipRange: "10.0.0.21-10.0.0.22/24" }, "ipRange: found 10.0.0.21-10.0.0.22/24, 2 addresses for 3 clones"],
    [{ ipRange: "10.0.0.22-10.0.0.21/24" }, 'ipRange: found "10.0.0.22-10.0.0.21/24"; expected first-last/prefix'],
    [{ ipRange: "10.0.0.254-10.0.1.9/24" }, 'ipRange: found "10.0.0.254-10.0.1.9/24"; expected first-last/prefix'],
    [{ ipRange: "10.0.0.21-10.0.0.70" }, 'ipRange: found "10.0.0.21-10.0.0.70"; expected first-last/prefix'],
    [{ ipRange: "10.0.0.0-10.0.0.9/24" }, "ipRange: found 10.0.0.0/24, the network address"],
    [{ ipRange: "10.0.0.253-10.0.0.255/24" }, "ipRange: found 10.0.0.255/24, the broadcast address"],
    [
      { gateway: "10.0.0.1" },
      "gateway: found 10.0.0.1, but no clone of the set has a static ip; expected a static ip with it",
    ],
    [
      { ipRange: "10.0.0.21-10.0.0.70/24", gateway: "10.0.1.1" },
      "gateway: found 10.0.1.1; expected an address in the subnet of 10.0.0.21/24",
    ],
    [{ namePattern: "web-{n:0}" }, 'namePattern: found "web-{n:0}"; expected a pattern with {n}'],
    [{ ip6Range: "2001:db8::1-2001:db8::2/64" }, "ip6Range: found 2001:db8::1-2001:db8::2/64, 2 addresses for 3"],
    [{ ip6Range: "10.0.0.1-10.0.0.9/24" }, 'ip6Range: found "10.0.0.1-10.0.0.9/24"; expected first-last/prefix'],
    [
      { gateway6: "fe80::1" },
      "gateway6: found fe80::1, but no clone of the set has a static ip6; expected a static ip6 with it",
    ],
    [{ clones: [] }, "clones: unknown key"],
  ])("%o", (fields, expected) => {
    const found = setProblems({ ...counted, ...fields });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`cloneSets.web.${expected}`);
  });

  test("also where two sets of 500 overlap", () => {
    const set = {
      template: "noble",
      count: 500,
      namePattern: "web-{n}",
      firstVmId: 9101,
      ipRange: "10.0.0.1-10.0.2.0/16",
    };
    const other = { ...set, namePattern: "WEB-{n}", firstVmId: 9600, ipRange: "10.0.1.0-10.0.3.0/16" };
    expect(problems({ cloneSets: { a: set, b: other } })).toEqual([
      "cloneSets.b.firstVmId: VMID 9600 is taken by cloneSets.a.firstVmId; expected one that nothing else in the config has",
      'cloneSets.b.namePattern: "WEB-1" is taken by cloneSets.a.namePattern; expected a name that no other clone has (and 499 more)',
      "cloneSets.b.ipRange: 10.0.1.0 is taken by cloneSets.a.ipRange; expected an address that nothing else in the config has (and 244 more)",
    ]);
  });
});

test("a VMID in a counted set meets the templates' and the listed clones'", () => {
  const found = problems({
    templates: { noble, trixie: { ...noble, vmId: 9102 } },
    cloneSets: {
      web: { template: "noble", ...counted },
      db: { template: "noble", clones: [{ name: "db-1", vmId: 9103 }] },
    },
  });
  expect(found).toEqual([
    "cloneSets.web.firstVmId: VMID 9102 is taken by templates.trixie.vmId; expected one that nothing else in the config has",
    "cloneSets.db.clones[0].vmId: VMID 9103 is taken by cloneSets.web.firstVmId; expected one that nothing else in the config has",
  ]);
});

test("a datastore is for full clones: PVE refuses it for linked ones", () => {
  expect(setProblems({ ...counted, datastore: "fast" })).toEqual([
    'cloneSets.web.datastore: found "fast" with mode "linked", whose disks stay with the template\'s; expected mode: full, or no datastore',
  ]);
  expect(setProblems({ ...counted, datastore: "fast", mode: "full" })).toEqual([]);
});

describe("what else is wrong with a set", () => {
  test.each([
    [{ nodes: [] }, "nodes: found an empty list; expected at least 1 item"],
    [{ nodes: ["pve1", "pve2", "pve1"] }, "nodes: found a list of 3; expected each node once"],
    [{ placement: "random" }, 'placement: found "random"; expected "packed", "spread" or "memory"'],
    [{ waitFor: "ssh" }, 'waitFor: found "ssh"; expected "none", "started", "agent" or "cloud-init"'],
    [{ readyTimeoutSeconds: 0 }, "readyTimeoutSeconds: found 0; expected at least 1"],
    [{ shutdownSeconds: 3601 }, "shutdownSeconds: found 3601; expected at most 3600"],
    [{ maxUnavailable: 0 }, "maxUnavailable: found 0; expected at least 1"],
    [{ onError: "stop" }, 'onError: found "stop"; expected "continue" or "fail"'],
    [{ nics: [{ ip: "dhcp" }] }, "nics[0].ip: unknown key; expected one of bridge, vlan"],
  ])("%o", (fields, expected) => {
    expect(setProblems({ ...counted, ...fields })).toEqual([`cloneSets.web.${expected}`]);
  });

  test("the addresses of the first interface are the clone's own, and it is said where they belong", () => {
    const nics = [{ ip: "10.0.0.21/24" }];
    expect(setProblems({ clones: [{ name: "web-1", vmId: 9101, nics }] })).toEqual([
      'cloneSets.web.clones[0].nics[0].ip: found "10.0.0.21/24"; expected it in the clone itself: ip beside name and vmId is that of the first network interface',
    ]);
  });
});

test("property: a range gives its addresses one by one, in order", () => {
  const octets = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
  const first = fc.integer({ min: 1, max: 60_000 });
  fc.assert(
    fc.property(first, fc.integer({ min: 1, max: 1000 }), (from, count) => {
      const base = 10 * 2 ** 24;
      const ipRange = `${octets(base + from)}-${octets(base + from + count - 1)}/8`;
      const ips = clones({ ...counted, count, ipRange })?.map(({ ip }) => ip);
      expect(ips).toEqual(Array.from({ length: count }, (_, index) => `${octets(base + from + index)}/8`));
    }),
    { numRuns: 30 },
  );
});

test("a snapshot is taken before updates of full clones alone", () => {
  const set = { clones: [], mode: "full", snapshotBefore: "update", snapshotKeepDays: 30 };
  expect(setOf(set)).toMatchObject({ snapshotBefore: "update", snapshotKeepDays: 30 });
  expect(setProblems({ ...set, mode: "linked" })).toEqual([
    'cloneSets.web.snapshotBefore: found "update" with mode "linked"; expected mode: full, whose disks are its own, or no snapshotBefore',
  ]);
  expect(setProblems({ ...set, snapshotBefore: "replace" })).toEqual([
    'cloneSets.web.snapshotBefore: found "replace"; a snapshot is a part of its VM, and PVE deletes it with the VM that is replaced; expected "update", and for what clones hold a backup job of PVE (Datacenter > Backup)',
  ]);
  expect(setProblems({ ...set, snapshotBefore: "always" })).toEqual([
    'cloneSets.web.snapshotBefore: found "always"; expected "update"',
  ]);
  expect(setProblems({ ...set, snapshotKeepDays: 0 })).toEqual([
    "cloneSets.web.snapshotKeepDays: found 0; expected at least 1",
  ]);
});

test("the gateway of a set is wrong where the set says it", () => {
  const clones = [{ name: "a", vmId: 9101, ip: "10.0.0.21/24" }];
  expect(setProblems({ clones, gateway: "10.0.1.1" })).toEqual([
    "cloneSets.web.gateway: found 10.0.1.1; expected an address in the subnet of 10.0.0.21/24",
  ]);
});
