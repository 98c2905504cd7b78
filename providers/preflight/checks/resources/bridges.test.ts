import { expect, test } from "vitest";
import { bridgeUses } from "../../deviceNeeds.ts";
import { fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { bridgeExists } from "./bridges.ts";

const fleet = fakeFleet({
  templates: {
    noble: { vmId: 9000, image: { url: "http://m/n.img" }, nics: [{}, { bridge: "vmbr1" }, { bridge: "vnet7" }] },
  },
});
const allowed = async () => ({ "/sdn/zones/localnetwork": { "SDN.Use": 1 } });

test("bridges of the node and of SDN are known, others are told with what was meant", async () => {
  const bridges = async () => [{ iface: "vnet7", type: "vnet" }];
  expect(await found(bridgeExists, fakeFacts({ fleet, bridges, permissions: allowed }))).toEqual([
    'fail templates.noble.nics[1].bridge: found "vmbr1", but node pve1 has no such bridge; did you mean "vmbr0"?',
  ]);
});

test("a bridge that may not be seen is not called missing", async () => {
  const lines = await found(bridgeExists, fakeFacts({ fleet, interfaces: async () => [], bridges: async () => [] }));
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/^skip cluster\.network\.bridge: bridge vmbr0 cannot be seen without SDN\.Use/);
});

test("an interface that is no bridge does not count", async () => {
  const interfaces = async () => [{ iface: "vmbr0", type: "eth" }];
  const lines = await found(bridgeExists, fakeFacts({ interfaces, bridges: async () => [], permissions: allowed }));
  expect(lines).toEqual([
    'fail cluster.network.bridge: found "vmbr0", but node pve1 has no such bridge; expected one of (it has none)',
  ]);
});

test("a template that was made elsewhere needs no bridge for an interface that is missing between its others", () => {
  const { noble } = fleet.templates;
  if (!noble) throw new Error("no template");
  const { image: _, ...source } = noble;
  const own = { content: "old", bootDisk: "scsi0", diskDrives: ["scsi0"], drives: ["scsi0"], missingNics: [0] };
  const existing = { debian: { ...source, path: "templates.debian", existing: own } };
  const sets = fakeFleet({ cloneSets: { web: { template: "noble", clones: [{ name: "w", vmId: 9101 }] } } }).cloneSets;
  const cloneSets = Object.fromEntries(Object.entries(sets).map(([key, set]) => [key, { ...set, template: "debian" }]));
  const uses = bridgeUses({ ...fleet, templates: {}, existing, cloneSets });
  expect([...new Set(uses.map(({ bridge }) => bridge))]).toEqual(["vmbr1", "vnet7"]);
});
