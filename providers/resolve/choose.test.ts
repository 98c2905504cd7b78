import fc from "fast-check";
import { expect, test } from "vitest";
import type { Choices, OpenSet } from "../../config/resolved.ts";
import { choose } from "./choose.ts";
import type { Past, PastClone } from "./past.ts";

const NOTHING_BEFORE: Past = { remembered: {}, clones: [], existing: {} };

const set = (names: readonly string[], change: Partial<OpenSet> = {}): OpenSet => ({
  path: "cloneSets.web",
  clones: names.map((name) => ({ name })),
  makesNone: false,
  vmIds: "9100-9104",
  reserved: [],
  ...change,
});
/** A set with `count`, whose clones are called `<prefix>-1`, `<prefix>-2`, … */
const counted = (count: number, nameOf: (n: number) => string, change: Partial<OpenSet> = {}) =>
  set([], {
    clones: Array.from({ length: count }, (_none, index) => ({ name: nameOf(index + 1), n: index + 1 })),
    ...change,
  });
/** A set of addresses alone. */
function addressed(
  names: readonly string[],
  ranges: Pick<OpenSet, "ips" | "ip6s">,
  change: Partial<OpenSet> = {},
): OpenSet {
  const { vmIds: _none, ...rest } = set(names, change);
  return { ...rest, ...ranges };
}
const made = (vmId: number, name: string, ip?: string, inSet = "web"): PastClone => ({
  set: inSet,
  name,
  vmId,
  ipConfigs: [ip === undefined ? "ip=dhcp" : `ip=${ip},gw=10.0.0.1`],
});

interface Others {
  /** VMIDs that somebody has, ours among them. */
  vmIds?: number[];
  /** Those of them that are somebody else's. */
  foreign?: number[];
  hosts?: string[];
}

const given = (
  sets: Record<string, OpenSet>,
  past: Partial<Past> = {},
  { vmIds = [], foreign = [], hosts = [] }: Others = {},
) =>
  choose(
    sets,
    { ...NOTHING_BEFORE, ...past },
    {
      isVmIdTaken: async (vmId) => vmIds.includes(vmId) || foreign.includes(vmId),
      isForeign: async (vmId) => foreign.includes(vmId),
      hosts: async () => new Set(hosts),
    },
  );
const idsOf = (chosen: Choices, key = "web") =>
  Object.fromEntries(Object.entries(chosen[key] ?? {}).map(([name, { vmId }]) => [name, vmId]));
const ipsOf = (chosen: Choices, key = "web") => Object.values(chosen[key] ?? {}).map(({ ip, ip6 }) => ip ?? ip6);

test("the first that nobody has, in the order of the clones", async () => {
  const { chosen } = await given({ web: set(["a", "b"]) }, {}, { vmIds: [9100, 9102] });
  expect(chosen).toEqual({ web: { a: { vmId: 9101 }, b: { vmId: 9103 } } });
});

test("what a clone's VM has stays its own, whatever its place in the list", async () => {
  const clones = [made(9100, "b"), made(9103, "a")];
  const { chosen } = await given({ web: set(["c", "a", "b"]) }, { clones }, { vmIds: [9100, 9103] });
  expect(idsOf(chosen)).toEqual({ a: 9103, b: 9100, c: 9101 });
});

test("what its VM has comes before what a run that made nothing has chosen since", async () => {
  const past = { clones: [made(9100, "a")], remembered: { web: { a: { vmId: 9200 } } } };
  expect(idsOf((await given({ web: set(["a"]) }, past, { vmIds: [9100] })).chosen)).toEqual({ a: 9100 });
  expect(idsOf((await given({ web: set(["a"], { vmIds: "9200-9249" }) }, past)).chosen)).toEqual({ a: 9200 });
});

test("what was chosen and never made stays, too, as long as nobody else has it", async () => {
  const remembered = { web: { a: { vmId: 9103, ip: "10.0.0.25/24" } } };
  const ranges = { web: set(["a"], { ips: "10.0.0.21-10.0.0.30/24" }) };
  expect((await given(ranges, { remembered })).chosen.web).toEqual({ a: { vmId: 9103, ip: "10.0.0.25/24" } });
  // A clone that a killed run has begun.
  expect(idsOf((await given(ranges, { remembered }, { vmIds: [9103] })).chosen)).toEqual({ a: 9103 });
  const others = { foreign: [9103], hosts: ["10.0.0.25"] };
  expect((await given(ranges, { remembered }, others)).chosen.web).toEqual({ a: { vmId: 9100, ip: "10.0.0.21/24" } });
});

test("a clone takes it along into another set, in any case of its name; outside of its range it gets another", async () => {
  const clones = [made(9103, "A", undefined, "old"), made(4000, "b", undefined, "old")];
  expect(idsOf((await given({ web: set(["a", "b"]) }, { clones })).chosen)).toEqual({ a: 9103, b: 9100 });
});

test.each([
  ["app-{n}", (n: number) => `app-${n}`],
  ["web-{n:2}", (n: number) => `web-${String(n).padStart(2, "0")}`],
])("a counted set that is called %s now keeps them by number", async (_pattern, nameOf) => {
  // The engine keeps names in their alphabetical order.
  const clones = [1, 10, 11, 12, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => made(9100 + n, `web-${n}`));
  const sets = { web: counted(12, nameOf, { vmIds: "9100-9149" }) };
  const expected = Object.fromEntries(Array.from({ length: 12 }, (_none, index) => [nameOf(index + 1), 9101 + index]));
  expect(idsOf((await given(sets, { clones })).chosen)).toEqual(expected);
  const remembered = { web: Object.fromEntries(clones.map(({ name = "", vmId }) => [name, { vmId, n: vmId - 9100 }])) };
  expect(idsOf((await given(sets, { remembered })).chosen)).toEqual(expected);
});

test("a list with other names is of other clones", async () => {
  const { chosen } = await given({ web: set(["db-1"]) }, { clones: [made(9100, "web-1")] }, { vmIds: [9100] });
  expect(idsOf(chosen)).toEqual({ "db-1": 9101 });
});

test("what the config says itself is not chosen, and given to nobody else", async () => {
  const one = set([], { clones: [{ name: "b" }, { name: "a", vmId: 9100 }] });
  expect(idsOf((await given({ web: one })).chosen)).toEqual({ b: 9101 });
  const two = addressed(
    [],
    { ips: "10.0.0.21-10.0.0.30/24" },
    { clones: [{ name: "b" }, { name: "a", ip: "10.0.0.21/24" }] },
  );
  expect(ipsOf((await given({ web: two })).chosen)).toEqual(["10.0.0.22/24"]);
});

test("addresses leave out the network's, the broadcast address, what is reserved and those of others", async () => {
  const sets = { web: addressed(["a", "b", "c"], { ips: "10.0.0.0-10.0.0.7/29" }, { reserved: ["10.0.0.1"] }) };
  const { chosen } = await given(sets, {}, { hosts: ["10.0.0.3"] });
  expect(ipsOf(chosen)).toEqual(["10.0.0.2/29", "10.0.0.4/29", "10.0.0.5/29"]);
});

test("the address of a clone that leaves is not given away while its VM is there", async () => {
  const sets = { web: addressed(["b", "c"], { ips: "10.0.0.40-10.0.0.45/24" }) };
  const clones = [made(9500, "a", "10.0.0.40/24"), made(9501, "b", "10.0.0.41/24")];
  expect(ipsOf((await given(sets, { clones })).chosen)).toEqual(["10.0.0.41/24", "10.0.0.42/24"]);
});

test("another prefix is no other address", async () => {
  const sets = { web: addressed(["a", "b"], { ips: "10.0.0.21-10.0.0.22/25" }) };
  const clones = [made(9500, "a", "10.0.0.21/24"), made(9501, "b", "10.0.0.22/24")];
  expect(ipsOf((await given(sets, { clones })).chosen)).toEqual(["10.0.0.21/25", "10.0.0.22/25"]);
});

test("IPv6 addresses are known in any spelling", async () => {
  const sets = {
    web: addressed(["a"], { ip6s: "2001:db8::1-2001:db8::9/64" }, { reserved: ["2001:db8:0:0:0:0:0:1"] }),
  };
  const { chosen } = await given(sets, {}, { hosts: ["2001:db8:0:0:0:0:0:2"] });
  expect(ipsOf(chosen)).toEqual([expect.stringMatching(/:3\/64$/)]);
});

test("the cluster is asked for addresses only where one has to be chosen", async () => {
  const sets = { web: addressed(["a"], { ips: "10.0.0.21-10.0.0.22/24" }) };
  let asked = 0;
  const taken = {
    isVmIdTaken: async () => false,
    isForeign: async () => false,
    hosts: async () => {
      asked++;
      return new Set<string>();
    },
  };
  await choose(sets, { ...NOTHING_BEFORE, clones: [made(9500, "a", "10.0.0.21/24")] }, taken);
  expect(asked).toBe(0);
  await choose(sets, { ...NOTHING_BEFORE, clones: [made(9500, "a", "10.9.0.21/24")] }, taken);
  expect(asked).toBeGreaterThan(0);
});

test("a range that is used up is told with how many are missing; other clones get theirs", async () => {
  const { chosen, problems } = await given(
    { web: set(["a", "b", "c"], { vmIds: "9100-9101" }) },
    {},
    { vmIds: [9100] },
  );
  expect(chosen.web).toEqual({ a: { vmId: 9101 } });
  expect(problems).toEqual([
    {
      path: "cloneSets.web.vmIds",
      message: "found 9100-9101, which has too few free VMIDs: 2 more clones need one; expected a larger range",
    },
  ]);
});

test("a set that makes no clones gets nothing new", async () => {
  const { chosen, problems } = await given(
    { web: set(["a", "b"], { makesNone: true }) },
    { clones: [made(9100, "a")] },
  );
  expect([idsOf(chosen), problems]).toEqual([{ a: 9100 }, []]);
});

test("no value is given twice, none is somebody else's, what is made stays, and the next run changes nothing", async () => {
  const name = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const ids = fc.integer({ min: 9100, max: 9112 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 3 }),
      fc.uniqueArray(name, { maxLength: 6 }),
      fc.dictionary(name, ids),
      fc.dictionary(name, fc.record({ vmId: ids })),
      fc.array(ids),
      async (some, more, had, remembered, all) => {
        const sets = {
          one: set(some, { vmIds: "9100-9109" }),
          two: set(
            more.filter((one) => !some.includes(one)),
            { vmIds: "9105-9112" },
          ),
        };
        // Two clones never have one VMID in the state.
        const clones = Object.entries(had)
          .filter(([, vmId], at, pairs) => pairs.findIndex(([, one]) => one === vmId) === at)
          .map(([own, vmId]) => made(vmId, own, undefined, "one"));
        const foreign = all.filter((vmId) => !clones.some((one) => one.vmId === vmId));
        const others = { vmIds: clones.map(({ vmId }) => vmId), foreign };
        const { chosen, problems } = await given(sets, { clones, remembered: { one: remembered } }, others);
        const pairs = Object.values(chosen).flatMap((one) => Object.entries(one));
        expect(new Set(pairs.map(([, { vmId }]) => vmId)).size).toBe(pairs.length);
        for (const [, { vmId }] of pairs) expect(foreign).not.toContain(vmId);
        for (const [key, { first, last }] of Object.entries({
          one: { first: 9100, last: 9109 },
          two: { first: 9105, last: 9112 },
        }))
          for (const { name = "", vmId } of clones) {
            const isIts = sets[key as "one" | "two"].clones.some((clone) => clone.name === name);
            if (isIts && vmId >= first && vmId <= last) expect(chosen[key]?.[name]?.vmId).toBe(vmId);
          }
        // With problems there is no run, and so nothing that the next one could keep.
        if (problems.length > 0) return;
        const next = pairs.map(([own, { vmId = 0 }]) => made(vmId, own, undefined, "one"));
        const again = await given(
          sets,
          { clones: next, remembered: chosen },
          { vmIds: next.map(({ vmId }) => vmId), foreign },
        );
        expect(again.chosen).toEqual(chosen);
      },
    ),
  );
});
