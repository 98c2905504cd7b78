import { expect, test } from "vitest";
import { noble, problems } from "../testing.ts";

const web = (...macs: string[]) => ({
  template: "noble",
  clones: macs.map((mac, index) => ({ name: `web-${index}`, vmId: 9101 + index, nics: [{ mac }] })),
});

test("two network cards cannot have one MAC address, however it is written", () => {
  expect(problems({ cloneSets: { web: web("BC:24:11:00:00:01", "bc:24:11:00:00:01", "BC:24:11:00:00:02") } })).toEqual([
    "cloneSets.web.clones[1].nics[0].mac: BC:24:11:00:00:01 is taken by cloneSets.web.clones[0].nics[0].mac; expected one that nothing else in the config has",
  ]);
});

test("nor a clone that of its template", () => {
  const templates = { noble: { ...noble, nics: [{ mac: "BC:24:11:00:00:01" }] } };
  expect(problems({ templates, cloneSets: { web: web("BC:24:11:00:00:01") } })).toEqual([
    "cloneSets.web.clones[0].nics[0].mac: BC:24:11:00:00:01 is taken by templates.noble.nics[0].mac; expected one that nothing else in the config has",
  ]);
});
