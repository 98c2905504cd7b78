import fc from "fast-check";
import { expect, test } from "vitest";
import type { Choices, OpenSet } from "../../config/resolved.ts";
import { choose } from "./choose.ts";

const set = (names: readonly string[], change: Partial<OpenSet> = {}): OpenSet => ({
  path: "cloneSets.web",
  clones: names.map((name) => ({ name })),
  isCounted: false,
  isClosed: false,
  vmIds: "9100-9104",
  reserved: [],
  ...change,
});

const given = async (
  sets: Record<string, OpenSet>,
  before: Choices = {},
  taken: { vmIds?: number[]; hosts?: string[] } = {},
) =>
  choose(sets, before, {
    isVmIdTaken: async (vmId) => taken.vmIds?.includes(vmId) ?? false,
    hosts: new Set(taken.hosts),
  });

test("the first that nobody has, in the order of the clones", async () => {
  const { chosen } = await given({ web: set(["a", "b"]) }, {}, { vmIds: [9100, 9102] });
  expect(chosen).toEqual({ web: { a: { vmId: 9101 }, b: { vmId: 9103 } } });
});

test("what a clone had stays its own, whatever its place, and though its VM has it now", async () => {
  const before = { web: { b: { vmId: 9100 }, a: { vmId: 9103 } } };
  const { chosen } = await given({ web: set(["c", "a", "b"]) }, before, { vmIds: [9100, 9103] });
  expect(chosen.web).toEqual({ c: { vmId: 9101 }, a: { vmId: 9103 }, b: { vmId: 9100 } });
});

test("a clone takes it along into another set; outside of its range it gets another", async () => {
  const before = { old: { a: { vmId: 9103 }, b: { vmId: 4000 } } };
  const { chosen } = await given({ web: set(["a", "b"]) }, before);
  expect(chosen.web).toEqual({ a: { vmId: 9103 }, b: { vmId: 9100 } });
});

test("a counted set with another pattern keeps them in turn; a list with other names does not", async () => {
  const before = { web: { "web-1": { vmId: 9102 }, "web-2": { vmId: 9100 } } };
  const taken = { vmIds: [9100, 9102] };
  const counted = await given({ web: set(["app-1", "app-2"], { isCounted: true }) }, before, taken);
  expect(counted.chosen.web).toEqual({ "app-1": { vmId: 9102 }, "app-2": { vmId: 9100 } });
  const listed = await given({ web: set(["db-1"]) }, before, taken);
  expect(listed.chosen.web).toEqual({ "db-1": { vmId: 9101 } });
});

test("what the config says itself is not chosen", async () => {
  const { chosen } = await given({ web: set([], { clones: [{ name: "a", vmId: 9100 }, { name: "b" }] }) });
  expect(chosen.web).toEqual({ b: { vmId: 9100 } });
});

test("addresses leave out the network's, the broadcast address, gateways and those of others", async () => {
  const { chosen } = await given(
    { web: set(["a", "b", "c"], { vmIds: undefined as never, ips: "10.0.0.0-10.0.0.7/29", reserved: ["10.0.0.1"] }) },
    {},
    { hosts: ["10.0.0.3"] },
  );
  expect(Object.values(chosen.web ?? {}).map(({ ip }) => ip)).toEqual(["10.0.0.2/29", "10.0.0.4/29", "10.0.0.5/29"]);
});

test("IPv6 addresses are known in any spelling", async () => {
  const { chosen } = await given(
    { web: set(["a"], { vmIds: undefined as never, ip6s: "2001:db8::21-2001:db8::22/64" }) },
    {},
    { hosts: ["2001:db8:0:0:0:0:0:21"] },
  );
  expect(chosen.web?.a?.ip6).toMatch(/^2001:db8:.*:?22\/64$/);
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
    { web: set(["a", "b"], { isClosed: true }) },
    { web: { a: { vmId: 9100 } } },
  );
  expect([chosen, problems]).toEqual([{ web: { a: { vmId: 9100 } } }, []]);
});

test("no value is given twice, none is somebody else's, and the next run changes nothing", async () => {
  const name = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const ids = fc.integer({ min: 9100, max: 9112 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 3 }),
      fc.uniqueArray(name, { maxLength: 6 }),
      fc.dictionary(name, fc.record({ vmId: ids })),
      fc.array(ids),
      async (some, more, had, others) => {
        const sets = {
          one: set(some, { vmIds: "9100-9109" }),
          two: set(
            more.filter((one) => !some.includes(one)),
            { vmIds: "9105-9112" },
          ),
        };
        // Two clones never have one VMID in the state.
        const unique = Object.fromEntries(
          Object.entries(had).filter(([, { vmId }], at, all) => all.findIndex(([, one]) => one.vmId === vmId) === at),
        );
        const { chosen, problems } = await given(sets, { one: unique }, { vmIds: others });
        const all = Object.values(chosen).flatMap((clones) => Object.entries(clones));
        expect(new Set(all.map(([, { vmId }]) => vmId)).size).toBe(all.length);
        for (const [key, { vmId }] of all) if (unique[key]?.vmId !== vmId) expect(others).not.toContain(vmId);
        // With problems there is no run, and so nothing that the next one could keep.
        if (problems.length > 0) return;
        const again = await given(sets, chosen, { vmIds: [...others, ...all.map(([, { vmId = 0 }]) => vmId)] });
        expect(again.chosen).toEqual(chosen);
      },
    ),
  );
});
