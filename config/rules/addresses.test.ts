import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { load, noble, problems, setProblems } from "../testing.ts";
import { effectiveAddresses, validAddresses } from "./addresses.ts";

const of = (...clones: Record<string, unknown>[]) =>
  setProblems({ clones: clones.map((clone, index) => ({ name: `web-${index}`, vmId: 9100 + index, ...clone })) });

const AT = "cloneSets.web.clones[0]";

test.each([
  [{ ip: "10.0.0.21/24", gateway: "10.0.0.1" }],
  [{ ip: "10.0.0.0/31", gateway: "10.0.0.1" }],
  [{ ip: "10.0.0.7/32", gateway: "169.254.0.1" }],
  [{ ip: "203.0.113.7/32", gateway: "198.51.100.1" }],
  [{ ip6: "2001:db8::21/64", gateway6: "2001:db8::1" }],
  [{ ip6: "2001:db8::21/64", gateway6: "fe80::1" }],
  [{ ip6: "2001:db8::/64" }],
  [{ ip: "dhcp", ip6: "auto" }],
])("%o is good", (clone) => {
  expect(of(clone)).toEqual([]);
});

test.each([
  [
    { ip: "10.0.0.0/24" },
    "ip: found 10.0.0.0/24, the network address of its subnet; expected an address between 10.0.0.0 and 10.0.0.255",
  ],
  [
    { ip: "10.0.0.255/24" },
    "ip: found 10.0.0.255/24, the broadcast address of its subnet; expected an address between 10.0.0.0 and 10.0.0.255",
  ],
  [
    { ip: "10.0.0.21/24", gateway: "10.0.1.1" },
    "gateway: found 10.0.1.1; expected an address in the subnet of 10.0.0.21/24",
  ],
  [
    { ip: "10.0.0.21/24", gateway: "10.0.0.21" },
    "gateway: found 10.0.0.21, the guest's own address; expected the router's",
  ],
  [
    { ip: "10.0.0.21/24", gateway: "10.0.0.255" },
    "gateway: found 10.0.0.255, the broadcast address of the subnet; expected the router's",
  ],
  [{ ip: "127.0.0.5/8" }, "ip: found 127.0.0.5/8, a loopback address; expected an address that a guest can have"],
  [{ ip: "224.0.0.9/24" }, "ip: found 224.0.0.9/24, a multicast address; expected an address that a guest can have"],
  [
    { ip: "0.0.0.7/8" },
    "ip: found 0.0.0.7/8, an address that stands for none; expected an address that a guest can have",
  ],
  [{ ip6: "ff02::1/64" }, "ip6: found ff02::1/64, a multicast address; expected an address that a guest can have"],
  [
    { ip6: "::ffff:10.0.0.1/120" },
    "ip6: found ::ffff:10.0.0.1/120, an IPv4 address written as IPv6; expected an address that a guest can have",
  ],
  [{ gateway: "10.0.0.1" }, "gateway: found 10.0.0.1, but ip is dhcp; expected a static ip with it"],
  [{ gateway6: "fe80::1" }, "gateway6: found fe80::1, but ip6 is not set; expected a static ip6 with it"],
  [{ ip6: "auto", gateway6: "fe80::1" }, "gateway6: found fe80::1, but ip6 is auto; expected a static ip6 with it"],
  [
    { ip6: "2001:db8::21/64", gateway6: "2001:db8:1::1" },
    "gateway6: found 2001:db8:1::1; expected an address in the subnet of 2001:db8::21/64",
  ],
  [
    { ip6: "2001:db8::21/64", gateway6: "2001:db8:0::21" },
    "gateway6: found 2001:db8:0::21, the guest's own address; expected the router's",
  ],
])("%o", (clone, expected) => {
  expect(of(clone)).toEqual([`${AT}.${expected}`]);
});

test("no address is given twice, in whatever spelling", () => {
  expect(of({ ip6: "2001:db8::21/64" }, { ip6: "2001:DB8:0::0021/48" })).toEqual([
    "cloneSets.web.clones[1].ip6: 2001:db8:0:0:0:0:0:21 is taken by cloneSets.web.clones[0].ip6; expected an address that nothing else in the config has",
  ]);
});

describe("the addresses of further network interfaces", () => {
  const templates = { noble: { ...noble, nics: [{}, { bridge: "vmbr1" }] } };
  const web = (...clones: object[]) => ({
    template: "noble",
    clones: clones.map((clone, index) => ({ name: `web-${index}`, vmId: 9100 + index, ...clone })),
  });

  test("are held against the same rules", () => {
    const nics = [{}, { ip: "10.1.0.255/24", gateway6: "fe80::1" }];
    expect(problems({ templates, cloneSets: { web: web({ nics }) } })).toEqual([
      `${AT}.nics[1].ip: found 10.1.0.255/24, the broadcast address of its subnet; expected an address between 10.1.0.0 and 10.1.0.255`,
      `${AT}.nics[1].gateway6: found fe80::1, but ip6 is not set; expected a static ip6 with it`,
    ]);
  });

  test("are nobody else's", () => {
    const cloneSets = { web: web({ ip: "10.1.0.9/24" }, { nics: [{}, { ip: "10.1.0.9/24" }] }) };
    expect(problems({ templates, cloneSets })).toEqual([
      `cloneSets.web.clones[1].nics[1].ip: 10.1.0.9 is taken by ${AT}.ip; expected an address that nothing else in the config has`,
    ]);
  });

  test("are replaced by a network-config like the first one's", () => {
    const cloudInit = { network: { version: 2 } };
    const cloneSets = { web: web({ nics: [{}, { ip: "10.1.0.9/24" }] }) };
    expect(problems({ templates: { noble: { ...templates.noble, cloudInit } }, cloneSets })).toEqual([
      `${AT}.nics[1].ip: found 10.1.0.9/24, but templates.noble.cloudInit.network replaces it; expected one of the two`,
    ]);
  });
});

test("a template's own address counts too", () => {
  const cloudInit = { ip: "10.0.0.21/24" };
  const web = { template: "noble", clones: [{ name: "web", vmId: 9100, ip: "10.0.0.21/16" }] };
  expect(problems({ templates: { noble: { ...noble, cloudInit } }, cloneSets: { web } })).toEqual([
    "cloneSets.web.clones[0].ip: 10.0.0.21 is taken by templates.noble.cloudInit.ip; expected an address that nothing else in the config has",
  ]);
});

test("an address that a network-config would make void is refused", () => {
  const cloudInit = { network: { version: 2, ethernets: {} } };
  const web = { template: "noble", clones: [{ name: "web", vmId: 9100, ip: "10.0.0.21/24" }] };
  expect(problems({ templates: { noble: { ...noble, cloudInit } }, cloneSets: { web } })).toEqual([
    "cloneSets.web.clones[0].ip: found 10.0.0.21/24, but templates.noble.cloudInit.network replaces it; expected one of the two",
  ]);
  const own = { ...cloudInit, ip6: "auto" };
  expect(problems({ templates: { noble: { ...noble, cloudInit: own } } })).toEqual([
    "templates.noble.cloudInit.ip6: found auto, but templates.noble.cloudInit.network replaces it; expected one of the two",
  ]);
});

test("an address stays where the clone, or its set, has a network-config of its own that has it", () => {
  const templates = { noble: { ...noble, nics: [{}, {}], cloudInit: { network: { version: 2 } } } };
  const clone = { name: "web", vmId: 9100, ip: "10.0.0.21/24", gateway: "10.0.0.1" };
  const own = { cloudInit: { network: { version: 2, ethernets: { eth0: { addresses: ["{ip}/24"] } } } } };
  const of = (set: object, ...clones: object[]) =>
    problems({ templates, cloneSets: { web: { template: "noble", clones, ...set } } });
  expect(of({}, { ...clone, ...own })).toEqual([]);
  expect(of(own, clone)).toEqual([]);
  expect(of({}, { ...clone, ...own }, { name: "web-2", vmId: 9101, ip: "10.0.0.22/24" })).toEqual([
    "cloneSets.web.clones[1].ip: found 10.0.0.22/24, but templates.noble.cloudInit.network replaces it; expected one of the two",
  ]);
});

describe("an address that was chosen from a range", () => {
  /** Two clones with the places that their addresses come from. */
  const fleet = (change: object, set: object, template: object = {}) => {
    const { cloneSets, ...rest } = load({
      templates: { noble: { ...noble, ...template } },
      cloneSets: { web: { template: "noble", ...set } },
    });
    const { web } = cloneSets;
    const clones = web?.clones.map((clone) => ({ ...clone, ...change })) ?? [];
    return { ...rest, cloneSets: web ? { web: { ...web, clones } } : {} };
  };
  const from = {
    ip: "10.0.0.255/24",
    ip6: "ff02::1/64",
    from: { ip: "cloneSets.web.ips", ip6: "cloneSets.web.ip6s" },
  };
  const sets = [
    { count: 2, namePattern: "web-{n}", firstVmId: 9100 },
    { clones: [1, 2].map((n) => ({ name: `web-${n}`, vmId: 9100 + n })) },
  ];
  const places = (found: { path: string }[]) => [...new Set(found.map(({ path }) => path))].sort();

  test.each(sets)("is told with the range: %j", (set) => {
    const both = ["cloneSets.web.ip6s", "cloneSets.web.ips"];
    expect(places(validAddresses(fleet(from, set)))).toEqual(both);
    const twice = { ...from, ip: "10.0.0.9/24", ip6: "2001:db8::9/64" };
    expect(validAddresses(fleet(twice, set)).map(({ path, message }) => `${path}: ${message.split(";")[0]}`)).toEqual([
      "cloneSets.web.ips: 10.0.0.9 is taken by cloneSets.web.ips",
      "cloneSets.web.ip6s: 2001:db8:0:0:0:0:0:9 is taken by cloneSets.web.ip6s",
    ]);
    const network = { cloudInit: { network: { version: 2 } } };
    expect(places(effectiveAddresses(fleet(from, set, network)))).toEqual(both);
    expect(places(effectiveAddresses(fleet({ ...from, gateway: "10.0.0.1" }, set, network)))).toHaveLength(
      "count" in set ? 3 : 4,
    );
  });
});

test("property: an address between network and broadcast is good with any gateway of its subnet", () => {
  const inSubnet = fc.integer({ min: 1, max: 254 });
  fc.assert(
    fc.property(inSubnet, inSubnet, (own, router) => {
      fc.pre(own !== router);
      expect(of({ ip: `10.0.0.${own}/24`, gateway: `10.0.0.${router}` })).toEqual([]);
    }),
  );
});
