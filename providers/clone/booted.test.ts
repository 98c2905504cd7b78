import { describe, expect, it } from "vitest";
import { networkRevision } from "../../fleet/cloudInit/networkRevision.ts";
import { withSerial } from "../../fleet/cloudInit/smbios.ts";
import { smbiosSerial } from "../../fleet/cloudInit/smbiosSerial.ts";
import { staticAddress, waiting } from "./booted.ts";
import { fakeClone, fakeState, UUID } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";

it.each([
  [["ip=10.0.0.21/24,gw=10.0.0.1"], "10.0.0.21"],
  [["ip6=2001:db8::9/64"], "2001:db8::9"],
  [["ip=dhcp,ip6=2001:db8::9/64"], "2001:db8::9"],
  [["ip=10.0.0.21/24,ip6=2001:db8::9/64"], "10.0.0.21"],
  [["ip=dhcp"], undefined],
  [["ip6=auto"], undefined],
  [[""], undefined],
  [[], undefined],
])("the static address of %j is %s", (ipConfigs, address) => {
  expect(staticAddress(ipConfigs)).toBe(address);
});

/** PVE's `smbios1` of a guest with these network settings. */
const smbios = (inputs: CloneInputs, hostname = inputs.hostname) =>
  withSerial(`uuid=${UUID}`, smbiosSerial(hostname, { instanceId: UUID, network: networkRevision(inputs) }));
/** What PVE lists when a guest runs with one serial and gets another one. */
const serials = (value: string, pending: string) => [{ key: "smbios1", value, pending }];

const olds = fakeClone();
const news = fakeClone({ ipConfigs: ["ip=10.0.0.99/24,gw=10.0.0.1"] });
const network = ({ ipConfigs, nameservers, searchDomain }: CloneInputs) => ({ ipConfigs, nameservers, searchDomain });

describe("what a running guest gets at its next start", () => {
  it("is nothing where PVE lists nothing", () => {
    expect(waiting(fakeState(), olds, [])).toEqual({ options: [] });
  });

  it("is what PVE lists, each once; its name it learns from the serial", () => {
    const pending = ["memory", "cores", "memory", "name"].map((key) => ({ key }));
    expect(waiting(fakeState(), olds, pending)).toEqual({ options: ["cores", "memory"] });
  });

  it("is an address, which PVE does not list: the serial names the settings, and the state those it has", () => {
    expect(waiting(fakeState(), news, serials(smbios(olds), smbios(news)))).toEqual({
      options: ["ipconfig0"],
      booted: network(olds),
    });
  });

  it.each<[string, Partial<CloneInputs>, string[]]>([
    ["name servers", { nameservers: ["10.0.0.2"] }, ["nameserver"]],
    ["a domain", { searchDomain: "example.org" }, ["searchdomain"]],
    ["a further interface", { ipConfigs: [...olds.ipConfigs, "ip=dhcp"] }, ["ipconfig1"]],
    ["all of it", { ipConfigs: [], nameservers: [] }, ["ipconfig0", "nameserver"]],
  ])("is told in PVE's words: %s", (_what, change, options) => {
    const changed = fakeClone(change);
    expect(waiting(fakeState(), changed, serials(smbios(olds), smbios(changed)))).toMatchObject({ options });
  });

  it("is its host name alone, where the network stays", () => {
    const renamed = serials(smbios(olds), smbios(olds, "db-1.example.net"));
    expect(waiting(fakeState(), olds, renamed)).toEqual({ options: ["hostname"] });
  });

  it("is told by what it was started with, though that was changed twice", () => {
    const twice = fakeClone({ ipConfigs: ["ip=10.0.0.77/24,gw=10.0.0.1"] });
    const before = fakeState({ spec: news, booted: network(olds) as never });
    expect(waiting(before, twice, serials(smbios(olds), smbios(twice)))).toMatchObject({ booted: network(olds) });
  });

  it("is nothing any more when a change was taken back", () => {
    const before = fakeState({ spec: news, booted: network(olds) as never });
    expect(waiting(before, olds, [])).toEqual({ options: [] });
  });

  it("is what the state knows when somebody has rebooted it between two changes", () => {
    // It was started with `news`, which was waiting when the state was written.
    const before = fakeState({ spec: news, booted: network(olds) as never });
    const twice = fakeClone({ ipConfigs: ["ip=10.0.0.77/24,gw=10.0.0.1"] });
    expect(waiting(before, twice, serials(smbios(news), smbios(twice)))).toMatchObject({ booted: network(news) });
  });

  it("is the network as such, where it has another serial and nobody knows what it named", () => {
    expect(waiting(fakeState(), olds, serials(smbios(news), smbios(olds)))).toMatchObject({ options: ["network"] });
  });

  it("is what the clone of an earlier version gets, whose serial names no settings", () => {
    const old = withSerial(`uuid=${UUID}`, smbiosSerial(olds.hostname));
    expect(waiting(fakeState(), news, serials(old, smbios(news)))).toEqual({
      options: ["ipconfig0"],
      booted: network(olds),
    });
  });
});
