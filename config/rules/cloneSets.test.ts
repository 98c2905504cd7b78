import { expect, test } from "vitest";
import { noble, problems } from "../testing.ts";

const clone = { name: "web-1", vmId: 9101 };
const of = (set: object, template: object = {}) =>
  problems({
    templates: { noble: { ...noble, ...template } },
    cloneSets: { web: { template: "noble", clones: [clone], ...set } },
  });

test.each([
  [{ start: false }, {}],
  [{ waitFor: "agent" }, {}],
  [{ waitFor: "none", start: false }, { agent: false }],
  [{ diskGiB: 20 }, {}],
  [{ clones: [{ ...clone, diskGiB: 21 }] }, { disk: { sizeGiB: 21 } }],
  [{ nics: [{}, { vlan: 5 }] }, { nics: [{}, {}] }],
  [{ nics: [{}], clones: [{ ...clone, nics: [{}, { ip: "dhcp" }] }] }, { nics: [{}, {}] }],
])("%j goes with a template with %j", (set, template) => {
  expect(of(set, template)).toEqual([]);
});

test.each([
  [
    { waitFor: "agent", start: false },
    {},
    'waitFor: found "agent" with start: false, so nothing would ever answer; expected start: true, or waitFor: started',
  ],
  [
    { waitFor: "cloud-init" },
    { agent: false },
    'waitFor: found "cloud-init", but templates.noble.agent is false, so nothing would ever answer; expected agent: true there, or waitFor: started',
  ],
  [{ diskGiB: 10 }, {}, "diskGiB: found 10; expected at least templates.noble.disk.sizeGiB (20): a disk cannot shrink"],
  [
    { diskGiB: 40, clones: [clone, { ...clone, name: "web-2", vmId: 9102, diskGiB: 29 }] },
    { disk: { sizeGiB: 30 } },
    "clones[1].diskGiB: found 29; expected at least templates.noble.disk.sizeGiB (30): a disk cannot shrink",
  ],
  [{ nics: [{}, {}] }, {}, "nics: found 2 network interfaces; expected at most 1, as templates.noble.nics has"],
  [
    { clones: [{ ...clone, nics: [{}, { vlan: 7 }] }] },
    {},
    "clones[0].nics: found 2 network interfaces; expected at most 1, as templates.noble.nics has",
  ],
])("%j does not go with a template with %j", (set, template, expected) => {
  expect(of(set, template)).toEqual([`cloneSets.web.${expected}`]);
});
