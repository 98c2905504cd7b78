import { describe, expect, test } from "vitest";
import { fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { nodeExists, nodeOnline } from "./nodes.ts";

const fleet = fakeFleet({
  cluster: { node: "pv1" },
  templates: {
    noble: { vmId: 9000, image: { url: "http://m/n.img" }, node: "pve2" },
    jammy: { vmId: 9001, image: { url: "http://m/j.img" }, node: "frodo" },
  },
});

test("a node that does not exist is told with what was meant, or with those that exist", async () => {
  expect(await found(nodeExists, fakeFacts({ fleet }))).toEqual([
    'fail cluster.node: found "pv1", but the cluster has no such node; did you mean "pve1"?',
    'fail templates.jammy.node: found "frodo", but the cluster has no such node; expected one of pve1, pve2',
  ]);
});

describe("a node that is down", () => {
  const image = { url: "http://m/n.img" };
  const both = { noble: { vmId: 9000, nodes: ["pve1", "pve2"], image } };
  const clones = [
    { name: "web-1", vmId: 9101 },
    { name: "web-2", vmId: 9102 },
    { name: "web-3", vmId: 9103 },
    { name: "web-4", vmId: 9104, node: "pve2" },
  ];
  const facts = (nodes: object, vms: Record<number, string>, more: object = {}) =>
    fakeFacts({
      fleet: fakeFleet({ templates: both, cloneSets: { web: { template: "noble", clones } } }),
      nodes: async () => Object.entries(nodes).map(([node, status]) => ({ node, status })),
      answers: async (node) => (nodes as Record<string, string>)[node] === "online",
      guests: async () => Object.entries(vms).map(([vmid, node]) => ({ vmid: Number(vmid), node, type: "qemu" })),
      ...more,
    });
  const down = { pve1: "online", pve2: "offline" };

  test("does not stop the others: what is on it, or is to be made there, is told", async () => {
    const there = { 9000: "pve1", 9001: "pve2", 9101: "pve1", 9102: "pve2", 9103: "pve2" };
    expect(await found(nodeOnline, facts(down, there))).toEqual([
      "warn templates.noble.nodes[1]: node pve2 is offline: 9001 (templates.noble) and 9102 to 9104 (cloneSets.web) can be neither made nor changed until it is back; everything else goes on",
    ]);
  });

  test("is a failure where a template is to be made on it", async () => {
    expect(await found(nodeOnline, facts(down, { 9000: "pve1", 9101: "pve1", 9102: "pve1", 9104: "pve1" }))).toEqual([
      "fail templates.noble.nodes[1]: node pve2 is offline, and templates.noble is to be made there",
    ]);
  });

  test("is a failure where all nodes of the config are down", async () => {
    expect(await found(nodeOnline, facts({ ...down, pve1: "offline", pve3: "online" }, { 9000: "pve1" }))).toEqual([
      "fail cluster.node: node pve1 is offline; expected it online",
      "fail templates.noble.nodes[1]: node pve2 is offline; expected it online",
    ]);
  });

  test("is known before the cluster's list knows it", async () => {
    const more = { answers: async (node: string) => node !== "pve2" };
    const [line] = await found(nodeOnline, facts({ pve1: "online", pve2: "online" }, { 9001: "pve2" }, more));
    expect(line).toMatch(/^warn .*node pve2 does not answer: 9001 \(templates\.noble\)/);
  });

  test("is nobody's business where the config puts nothing on it", async () => {
    const none = facts(down, {}, { fleet: fakeFleet({ cluster: { node: "pve1" } }) });
    expect(await found(nodeOnline, none)).toEqual(["pass all nodes of the config are online"]);
  });
});
