import { expect, test } from "vitest";
import { bridgeUses, mappingUses, poolUses } from "./deviceNeeds.ts";
import { fakeFleet } from "./fakeFacts.ts";
import { candidatesOf, clonesOf, nodesOf } from "./needs.ts";
import { allocationsOf, datastoreUses } from "./storageNeeds.ts";

const image = { url: "http://m/n.img" };
const fleet = (template: object, set: object) =>
  fakeFleet({
    templates: { noble: { vmId: 9000, image, ...template } },
    cloneSets: {
      web: { template: "noble", clones: [1, 2, 3].map((n) => ({ name: `web-${n}`, vmId: 9100 + n })), ...set },
    },
  });
const clone = { name: "web-1", vmId: 9101 };
const GIB = 2 ** 30;

test("every node is named once, where the config names it", () => {
  const clones = [clone, { name: "web-2", vmId: 9102, node: "pve5" }];
  expect(nodesOf(fleet({ nodes: ["pve1", "pve2"] }, { nodes: ["pve2", "pve4"], clones }))).toEqual([
    { node: "pve1", path: "cluster.node" },
    { node: "pve2", path: "templates.noble.nodes[1]" },
    { node: "pve4", path: "cloneSets.web.nodes[1]" },
    { node: "pve5", path: "cloneSets.web.clones[1].node" },
  ]);
});

test("a clone may be put on its own node, on its set's, or on its template's", () => {
  const nodes = (template: object, set: object) => candidatesOf(fleet(template, set), "web").map(({ node }) => node);
  expect(nodes({}, {})).toEqual(["pve1"]);
  expect(nodes({ nodes: ["pve1", "pve2"] }, {})).toEqual(["pve1", "pve2"]);
  expect(nodes({ nodes: ["pve1", "pve2"] }, { nodes: ["pve3"] })).toEqual(["pve3"]);
  expect(nodes({}, { nodes: ["pve2"], clones: [{ ...clone, node: "pve3" }] })).toEqual(["pve3"]);
});

test("without snippets, their datastore is not used", () => {
  const uses = (cluster: object) => datastoreUses(fakeFleet({ cluster })).map(({ content }) => content);
  expect(uses({})).toContain("snippets");
  expect(uses({ ssh: undefined })).not.toContain("snippets");
});

test("clones are counted on their nodes in turn", () => {
  expect(clonesOf(fleet({}, { nodes: ["pve1", "pve2"] })).map(({ node }) => node)).toEqual(["pve1", "pve2", "pve1"]);
});

test("clones need their datastore on each node that they may be put on", () => {
  const uses = (set: object) =>
    datastoreUses(fleet({}, { nodes: ["pve2"], ...set })).flatMap(({ node, datastore, what, path }) =>
      node === "pve2" ? [`${datastore} ${what} ${path}`] : [],
    );
  expect(uses({ mode: "full", datastore: "fast" })).toEqual(["fast full clones cloneSets.web.datastore"]);
  expect(uses({})).toEqual(["local-lvm linked clones (disks) cluster.datastores.disks"]);
});

test("a full clone takes the room that its disk grows to, a linked one none", () => {
  const bytes = (set: object) =>
    allocationsOf(fleet({}, { clones: [clone], ...set }), (vmId) => vmId === 9000).map((one) =>
      Math.floor(one.bytes / GIB),
    );
  expect(bytes({ mode: "full" })).toEqual([20]);
  expect(bytes({ mode: "full", diskGiB: 50 })).toEqual([50]);
  expect(bytes({ diskGiB: 50 })).toEqual([]);
});

test("disks of clones need their datastores, and room, with linked clones too", () => {
  const extraDisks = [{ sizeGiB: 7 }, { sizeGiB: 9, datastore: "hdd" }];
  const uses = (set: object) =>
    datastoreUses(fleet({}, { nodes: ["pve2"], extraDisks, ...set })).flatMap(({ node, datastore, what, path }) =>
      node === "pve2" && what === "disks of clones" ? [`${datastore} ${path}`] : [],
    );
  expect(uses({})).toEqual(["hdd cloneSets.web.extraDisks[1].datastore"]);
  expect(uses({ clones: [{ ...clone, extraDisks: [{ sizeGiB: 1, datastore: "ssd" }] }] })).toEqual([
    "ssd cloneSets.web.clones[0].extraDisks[0].datastore",
  ]);
  const bytes = (set: object, exists = (vmId: number): boolean => vmId === 9000) =>
    allocationsOf(fleet({}, { clones: [clone], extraDisks, ...set }), exists).map(
      (one) => `${one.datastore} ${Math.floor(one.bytes / GIB)}`,
    );
  expect(bytes({})).toEqual(["local-lvm 7", "hdd 9"]);
  expect(bytes({ mode: "full", datastore: "fast" })).toEqual(["fast 20", "fast 7", "hdd 9"]);
  expect(bytes({}, () => true)).toEqual([]);
});

test("bridges of clones are needed where the clones may be put, each with the place that names it", () => {
  const clones = [clone, { name: "web-2", vmId: 9102, node: "pve3", nics: [{}, { bridge: "vmbr9", vlan: 5 }] }];
  const set = { nodes: ["pve2"], nics: [{ bridge: "vmbr1" }], clones };
  const uses = bridgeUses(fleet({ nics: [{ vlan: 7 }, { bridge: "vmbr2" }] }, set)).map(
    ({ node, bridge, vlan, path }) => `${node} ${bridge} ${vlan ?? "-"} ${path}`,
  );
  expect(uses).toEqual([
    "pve1 vmbr0 7 cluster.network.bridge",
    "pve1 vmbr2 - templates.noble.nics[1].bridge",
    "pve2 vmbr1 7 cloneSets.web.nics[0].bridge",
    "pve2 vmbr2 - templates.noble.nics[1].bridge",
    "pve3 vmbr1 7 cloneSets.web.nics[0].bridge",
    "pve3 vmbr9 5 cloneSets.web.clones[1].nics[1].bridge",
  ]);
});

test("a mapping needs a device wherever clones with it may be put", () => {
  const uses = mappingUses(fleet({ gpus: [{ mapping: "rtx4090" }] }, { nodes: ["pve1", "pve2"] }));
  expect(uses.map(({ node, path }) => `${node} ${path}`)).toEqual([
    "pve1 templates.noble.gpus[0].mapping",
    "pve2 templates.noble.gpus[0].mapping",
  ]);
});

test("pools are those of templates and of clone sets", () => {
  expect(poolUses(fleet({ pool: "golden", nodes: ["pve1", "pve2"] }, { pool: "web" }))).toEqual([
    { pool: "golden", path: "templates.noble.pool" },
    { pool: "web", path: "cloneSets.web.pool" },
  ]);
});
