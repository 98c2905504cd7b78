import { expect, test } from "vitest";
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
