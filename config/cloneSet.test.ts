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

test("defaults of a set", () => {
  expect(load({ cloneSets: { web: { template: "noble", clones: [] } } }).cloneSets.web).toMatchObject({
    mode: "linked",
    start: true,
    onBoot: false,
    tags: [],
    clones: [],
  });
});

test("none and 500 and 1000 clones", () => {
  expect(clones({ ...counted, count: 0 })).toEqual([]);
  expect(clones({ ...counted, count: 500 })).toHaveLength(500);
  expect(clones({ ...counted, count: 1000, ipRange: "10.0.1.1-10.0.9.255/16" })).toHaveLength(1000);
  expect(setProblems({ ...counted, count: 1001 })).toEqual(["cloneSets.web.count: found 1001; expected at most 1000"]);
});

test("createClones: false leaves the set out, but its text is still checked", () => {
  expect(load({ cloneSets: { web: { template: "noble", createClones: false, ...counted } } }).cloneSets).toEqual({});
  expect(setProblems({ createClones: false, ...counted, count: -1 })).toHaveLength(1);
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
    [{ gateway: "10.0.0.1" }, "gateway: found 10.0.0.1, but ip is dhcp; expected a static ip with it"],
    [
      { ipRange: "10.0.0.21-10.0.0.70/24", gateway: "10.0.1.1" },
      "gateway: found 10.0.1.1; expected an address in the subnet of 10.0.0.21/24",
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
