import { describe, expect, test } from "vitest";
import { originals, replicasOf } from "./replicas.ts";
import { cluster, load, noble, problems, templateProblems } from "./testing.ts";

const on = (...nodes: string[]) => ({ noble: { ...noble, nodes } });
const web = (fields: object = {}) => ({ web: { template: "noble", clones: [], ...fields } });

describe("a template with nodes", () => {
  const { templates, cloneSets, problems: none } = load({ templates: on("pve1", "pve2", "pve3"), cloneSets: web() });

  test("is one template on each, under keys, VMIDs and nodes of their own", () => {
    expect(none).toEqual([]);
    expect(Object.entries(templates).map(([key, { vmId, node }]) => [key, vmId, node])).toEqual([
      ["noble", 9000, "pve1"],
      ["noble-pve2", 9001, "pve2"],
      ["noble-pve3", 9002, "pve3"],
    ]);
    expect(originals(templates).map(([key]) => key)).toEqual(["noble"]);
  });

  test("has one name and one place in the config", () => {
    for (const { name, path } of Object.values(templates)) {
      expect({ name, path }).toEqual({ name: "noble", path: "templates.noble" });
    }
  });

  test("lets clones run on all of them", () => {
    expect(cloneSets.web?.nodes).toEqual(["pve1", "pve2", "pve3"]);
    expect(replicasOf(templates, "noble")).toEqual({ pve1: "noble", pve2: "noble-pve2", pve3: "noble-pve3" });
    expect(replicasOf(templates, "jammy")).toEqual({});
  });
});

test("without nodes a template is where it says, or else where the cluster says", () => {
  const nodes = (fields: object) =>
    replicasOf(load({ templates: { noble: { ...noble, ...fields } } }).templates, "noble");
  expect(nodes({})).toEqual({ [cluster.node]: "noble" });
  expect(nodes({ node: "pve2" })).toEqual({ pve2: "noble" });
});

describe("what is wrong with nodes", () => {
  test.each([
    [{ nodes: [] }, "nodes: found an empty list; expected at least 1 item"],
    [{ nodes: ["pve1", "pve1"] }, "nodes: found a list of 2; expected each node once"],
    [{ node: "pve1", nodes: ["pve2"] }, "nodes: found a list of 1; expected either node or nodes, not both"],
    [
      { vmId: 999_999_998, nodes: ["a", "b", "c"] },
      "vmId: found 999999998 with 3 nodes; expected VMIDs up to 999999999",
    ],
  ])("%o", (fields, expected) => {
    expect(templateProblems(fields)).toEqual([`templates.noble.${expected}`]);
  });

  test("the key of a replica is nobody else's", () => {
    expect(problems({ templates: { ...on("pve1", "pve2"), "noble-pve2": { ...noble, vmId: 9010 } } })).toEqual([
      'templates.noble.nodes: the replica on node pve2 is called "noble-pve2", as one of templates.noble-pve2 is; expected another key for one of the two',
    ]);
    const templates = { "a-b": { ...noble, nodes: ["x", "c"] }, a: { ...noble, vmId: 9010, nodes: ["x", "b-c"] } };
    expect(problems({ templates })).toEqual([
      'templates.a.nodes: the replica on node b-c is called "a-b-c", as one of templates.a-b is; expected another key for one of the two',
    ]);
  });

  test("neither is its VMID", () => {
    expect(problems({ templates: { ...on("pve1", "pve2"), jammy: { ...noble, vmId: 9001 } } })).toEqual([
      "templates.noble.vmId: VMID 9001 is taken by templates.jammy.vmId; expected one that nothing else in the config has",
    ]);
  });

  test("a clone set names the template, not a replica", () => {
    const templates = on("pve1", "pve2");
    expect(problems({ templates, cloneSets: web({ template: "noble-pve2" }) })).toEqual([
      expect.stringContaining('cloneSets.web.template: found "noble-pve2", but there is no such template; '),
    ]);
  });

  test("what is wrong with the template is said once", () => {
    const templates = { noble: { ...on("pve1", "pve2").noble, onBoot: true, cloudInit: { ip: "10.0.0.0/24" } } };
    expect(problems({ templates })).toEqual([
      expect.stringMatching(/^templates.noble.cloudInit.ip: found 10.0.0.0\/24, the network address/),
      "templates.noble.onBoot: found true, but a template never starts; expected false",
    ]);
  });

  test("a static address of its own is no conflict between replicas", () => {
    expect(templateProblems({ nodes: ["pve1", "pve2"], cloudInit: { ip: "10.0.0.9/24" } })).toEqual([]);
  });
});
