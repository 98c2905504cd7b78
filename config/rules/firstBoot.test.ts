import { describe, expect, test } from "vitest";
import { noble, problems, setProblems } from "../testing.ts";

const templates = { noble: { ...noble, nics: [{}, {}] } };
const AT = "cloneSets.web.clones[0]";
const clone = (more: object = {}) => ({ name: "web-1", vmId: 9101, ip: "10.0.0.21/24", ...more });
const network = (...addresses: string[]) => ({ version: 2, ethernets: { eth0: { addresses } } });
const of = (set: object, ...clones: object[]) =>
  problems({ templates, cloneSets: { web: { template: "noble", clones, ...set } } });

describe("a network-config of a set or a clone", () => {
  const ip6 = "2001:db8::21/64";
  const replaced = (field: string, value: string, hint: string, at = "cloneSets.web") =>
    `${AT}.${field}: found ${value}, but ${at}.cloudInit.network replaces it; expected one of the two, or ${hint} in it`;

  test("takes the place of all addresses that do not stand in it", () => {
    const set = { cloudInit: { network: network() } };
    const nics = [{}, { ip: "10.1.0.9/24", ip6: "2001:db8:1::9/64" }];
    expect(of(set, clone({ ip6, nics }))).toEqual([
      replaced("ip", "10.0.0.21/24", "{ip}"),
      replaced("ip6", ip6, "the address"),
      replaced("nics[1].ip", "10.1.0.9/24", "the address"),
      replaced("nics[1].ip6", "2001:db8:1::9/64", "the address"),
    ]);
    expect(of(set, clone({ ip: "dhcp", ip6: "auto", nics: [{}, { ip: "dhcp" }] }))).toEqual([]);
  });

  test("has the first address as {ip}, and others as they are", () => {
    const set = { cloudInit: { network: network("{ip}/24") } };
    expect(of(set, clone())).toEqual([]);
    expect(of(set, clone({ ip: "dhcp", ip6 }))).toEqual([]);
    expect(of(set, clone({ ip6 }))).toEqual([replaced("ip6", ip6, "the address")]);
    const nics = [{}, { ip: "10.1.0.9/24" }];
    expect(of(set, clone({ nics }))).toEqual([replaced("nics[1].ip", "10.1.0.9/24", "the address")]);
    const own = { cloudInit: { network: network("{ip}/24", "2001:DB8:0::21/64", "10.1.0.9/24") } };
    expect(of({}, clone({ ip6, nics, ...own }))).toEqual([]);
    const longer = { cloudInit: { network: network("110.1.0.9/24", "{ip}/24") } };
    expect(of({}, clone({ nics, ...longer }))).toEqual([replaced("nics[1].ip", "10.1.0.9/24", "the address", AT)]);
  });

  test("of a clone is what counts where its set has one too", () => {
    const set = { cloudInit: { network: network() } };
    expect(of(set, clone({ cloudInit: { network: network("{ip}/24") } }))).toEqual([]);
    expect(of({ cloudInit: { network: network("{ip}/24") } }, clone({ cloudInit: { network: network() } }))).toEqual([
      replaced("ip", "10.0.0.21/24", "{ip}", AT),
    ]);
  });
});

test.each([
  [
    { cloudInit: { runCommands: ["echo {ip}"] } },
    "cloneSets.web.cloudInit: found {ip}, but web-1 has no static address; expected ip: address/prefix with it",
  ],
  [{ cloudInit: { pakages: [] } }, 'cloneSets.web.cloudInit.pakages: unknown key; did you mean "packages"?'],
  [{ cloudInit: { sshPublicKeys: ["me"] } }, "cloneSets.web.cloudInit.sshPublicKeys[0]: expected one SSH public key"],
])("what is wrong with a set's first boot is told with its place: %j", (set, text) => {
  const found = setProblems({ clones: [{ name: "web-1", vmId: 9101 }], ...set });
  expect(found).toEqual([expect.stringContaining(text)]);
});
