import fc from "fast-check";
import { expect, test } from "vitest";
import { noble, problems } from "../testing.ts";
import { repeated } from "./vmIds.ts";

test("two templates cannot share a VMID", () => {
  expect(problems({ templates: { noble, trixie: noble } })).toEqual([
    "templates.trixie.vmId: VMID 9000 is taken by templates.noble.vmId; expected one that nothing else in the config has",
  ]);
});

test("two clones of one set cannot either", () => {
  const clones = [
    { name: "a", vmId: 9101 },
    { name: "b", vmId: 9101 },
    { name: "c", vmId: 9101 },
  ];
  expect(problems({ cloneSets: { web: { template: "noble", clones } } })).toEqual([
    "cloneSets.web.clones[1].vmId: VMID 9101 is taken by cloneSets.web.clones[0].vmId; expected one that nothing else in the config has",
    "cloneSets.web.clones[2].vmId: VMID 9101 is taken by cloneSets.web.clones[0].vmId; expected one that nothing else in the config has",
  ]);
});

test("property: every item but the first of its kind is repeated", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 5 })), (numbers) => {
      const found = repeated(numbers, String);
      expect(found).toHaveLength(numbers.length - new Set(numbers).size);
      for (const { item, first } of found) expect(item).toBe(first);
    }),
  );
});
