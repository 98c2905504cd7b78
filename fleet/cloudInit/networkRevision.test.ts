import { expect, test } from "vitest";
import { type NetworkSettings, networkRevision } from "./networkRevision.ts";

const settings: NetworkSettings = { ipConfigs: ["ip=10.0.0.21/24"], nameservers: ["10.0.0.1"], searchDomain: "a.net" };

test.each<[string, Partial<NetworkSettings>]>([
  ["address", { ipConfigs: ["ip=10.0.0.22/24"] }],
  ["second interface", { ipConfigs: ["ip=10.0.0.21/24", "ip=dhcp"] }],
  ["interface", { ipConfigs: ["", "ip=10.0.0.21/24"] }],
  ["name server", { nameservers: ["10.0.0.2"] }],
  ["search domain", { searchDomain: "b.net" }],
])("another %s is another revision", (_what, change) => {
  expect(networkRevision({ ...settings, ...change })).not.toBe(networkRevision(settings));
});

test("what says nothing changes nothing", () => {
  expect(networkRevision({ ...settings, ipConfigs: ["ip=10.0.0.21/24", ""] })).toBe(networkRevision(settings));
  expect(networkRevision({ ipConfigs: [], nameservers: [], searchDomain: "" })).toBe(
    networkRevision({ ipConfigs: [] }),
  );
});

test("it can stand in a serial", () => {
  expect(networkRevision(settings)).toMatch(/^[0-9a-f]{8}$/);
});
