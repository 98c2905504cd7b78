import { expect, test } from "vitest";
import { checkRange } from "./addressRange.ts";

const texts = (...[range, count, context]: Parameters<typeof checkRange>) =>
  checkRange(range, count, { gateway: "10.0.0.1", ...context }).map(({ severity, text }) => `${severity}: ${text}`);

test("a range that fits has nothing to say", () => {
  expect(texts("10.0.0.21-10.0.0.70/24", 50, { bridgeCidr: "10.0.0.11/24" })).toEqual([]);
  expect(texts("fd00::21-fd00::70/64", 3, { gateway: "fd00::1", bridgeCidr: "10.0.0.11/24" })).toEqual([]);
});

test.each([
  ["10.0.0.21/24", 'fail: found "10.0.0.21/24"; expected first-last/prefix'],
  ["10.0.0.21-10.0.1.70/24", "all of one subnet"],
  ["10.0.0.21-10.0.0.22/24", "has 2 addresses; 5 are needed"],
  ["10.0.0.0-10.0.0.9/24", "10.0.0.0 is the network address of its subnet"],
])("%s: %s", (range, text) => {
  expect(texts(range, 5)[0]).toContain(text);
});

test("addresses that somebody has are named with who it is, as far as they are needed", () => {
  const used = [
    { address: "10.0.0.22", owner: 'VM 100 "nas"', by: "config" as const },
    { address: "10.0.0.23", owner: 'VM 101 "dns"', by: "agent" as const },
    { address: "10.0.0.30", owner: "node pve1", by: "node" as const },
  ];
  expect(texts("10.0.0.21-10.0.0.70/24", 5, { used })).toEqual([
    'fail: 10.0.0.22 is the address of VM 100 "nas"',
    'fail: 10.0.0.23 is the address of VM 101 "dns", as its agent says',
  ]);
});

test("the gateway is in the subnet and not in the range; the range is in the bridge's network", () => {
  const range = "10.0.0.21-10.0.0.70/24";
  expect(texts(range, 5, { gateway: "10.0.1.1" })).toEqual([
    "fail: the gateway 10.0.1.1 is not in the subnet of the range",
  ]);
  expect(texts(range, 5, { gateway: "10.0.0.23" })).toEqual(["fail: the gateway 10.0.0.23 is in the range"]);
  expect(texts(range, 5, { gateway: "router" })).toEqual(['fail: found the gateway "router"; expected an address']);
  expect(texts(range, 5, { gateway: "" })).toEqual(["warn: without a gateway the clones reach their own subnet alone"]);
  expect(texts(range, 5, { bridgeCidr: "192.168.1.10/24" })).toEqual([
    expect.stringContaining("warn: the range is not in the network that the node has on the bridge (192.168.1.10/24)"),
  ]);
});
