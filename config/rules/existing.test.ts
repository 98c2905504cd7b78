import { describe, expect, test } from "vitest";
import type { TemplateFacts } from "../existing.ts";
import { load, templateFacts } from "../testing.ts";

/** The problems of clones of a template that was made elsewhere. */
function of(more: Partial<TemplateFacts>, set: object): string[] {
  const existing = { win: { ...templateFacts, ...more } };
  const { problems } = load(
    { templates: { win: { existing: { vmId: 900 } } }, cloneSets: { web: { template: "win", ...set } } },
    {},
    [],
    { existing },
  );
  return problems.map(({ path, message }) => `${path}: ${message}`);
}

const clone = { name: "web-1", vmId: 9101, ip: "10.0.0.21/24" };

describe("a template with a network-config of its own", () => {
  const cicustom = "user=local:snippets/u.yaml,network=local:snippets/net.yaml";

  test("takes the place of its clones' addresses", () => {
    const nics = [{}, { ip6: "auto" }];
    const by = "but the snippet local:snippets/net.yaml of template 900 (templates.win) replaces it";
    expect(of({ cicustom }, { clones: [{ ...clone, nics }], gateway: "10.0.0.1" })).toEqual([
      `cloneSets.web.clones[0].ip: found 10.0.0.21/24, ${by}; expected one of the two`,
      `cloneSets.web.gateway: found 10.0.0.1, ${by}; expected one of the two`,
      `cloneSets.web.clones[0].nics[1].ip6: found auto, ${by}; expected one of the two`,
    ]);
    expect(of({ cicustom }, { clones: [{ ...clone, ip: "dhcp" }] })).toEqual([]);
    expect(of({ cicustom: "user=local:snippets/network=.yaml" }, { clones: [clone] })).toEqual([]);
  });

  test("does not, where a clone has one of its own", () => {
    const cloudInit = { network: { version: 2, ethernets: { eth0: { addresses: ["{ip}/24"] } } } };
    expect(of({ cicustom }, { clones: [{ ...clone, cloudInit }] })).toEqual([]);
  });
});

test("a template without a cloud-init drive carries no addresses", () => {
  expect(of({ datastores: {} }, { clones: [clone] })).toEqual([
    expect.stringContaining("cloneSets.web.clones[0].ip: found 10.0.0.21/24, but template 900 (templates.win) has no"),
  ]);
});

test("a template without the first network interface has no address for it, unless the clone gets one", () => {
  const only1 = { nics: [{}, { bridge: "vmbr1" }], missingNics: [0] };
  const lacks = (place: string) =>
    `cloneSets.web.clones[0].${place}: found 10.0.0.21/24, but template 900 (templates.win) has no net0; expected none, or a network interface of the clone's own: nics with a bridge`;
  expect(of(only1, { clones: [clone] })).toEqual([lacks("ip")]);
  expect(of(only1, { clones: [{ ...clone, nics: [{}, { vlan: 7 }] }] })).toEqual([lacks("ip")]);
  expect(of(only1, { clones: [{ ...clone, nics: [{ bridge: "vmbr0" }] }] })).toEqual([]);
  expect(of(only1, { clones: [{ ...clone, ip: "dhcp", nics: [{}, { ip: "10.1.0.9/24" }] }] })).toEqual([]);
  expect(of({ nics: [] }, { clones: [clone] })).toEqual([lacks("ip")]);
});
