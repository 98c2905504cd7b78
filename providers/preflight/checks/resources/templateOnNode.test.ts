import { expect, test } from "vitest";
import { fakeDatastores, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { templateOnNode } from "./templateOnNode.ts";

const fleet = (template: object, set: object) =>
  fakeFleet({
    templates: { noble: { vmId: 9000, image: { url: "http://m/n.img" }, ...template } },
    cloneSets: { web: { template: "noble", clones: [{ name: "web-1", vmId: 9101 }], ...set } },
  });
const sharing =
  (...names: string[]) =>
  async () =>
    fakeDatastores.map((one) => (names.includes(one.storage) ? { ...one, shared: 1 } : one));
const of = (template: object, set: object, datastores = sharing()) =>
  found(templateOnNode, fakeFacts({ fleet: fleet(template, set), datastores }));
const passes = ["pass every clone's template can be reached from its node"];

test("a clone beside its template, or beside a replica, needs nothing", async () => {
  expect(await of({}, {})).toEqual(passes);
  expect(await of({ nodes: ["pve1", "pve2"] }, { nodes: ["pve2", "pve1"] })).toEqual(passes);
});

test("a node without a replica needs shared datastores for disks and snippets, for full clones too", async () => {
  const [finding] = await templateOnNode.run(
    fakeFacts({ fleet: fleet({}, { nodes: ["pve1", "pve2"], mode: "full" }) }),
  );
  expect(finding).toMatchObject({
    status: "fail",
    path: "cloneSets.web.nodes[1]",
    message:
      "clones of cloneSets.web may be put on node pve2, but templates.noble is on pve1 only, and local-lvm and local are not shared",
  });
  expect(finding?.todo?.[0]).toContain("Add pve2 to templates.noble.nodes: [pve1, pve2]");
  const set = { nodes: ["pve1", "pve2"] };
  expect((await of({}, set, sharing("local-lvm")))[0]).toMatch(/and local is not shared$/);
  expect(await of({}, set, sharing("local-lvm", "local"))).toEqual(passes);
});

test("so does the node of a single clone", async () => {
  const clones = [{ name: "web-1", vmId: 9101, node: "pve2" }];
  expect((await of({}, { clones }))[0]).toMatch(/^fail cloneSets\.web\.clones\[0\]\.node: /);
});

test("nodes that no clone takes are of no interest", async () => {
  expect(await of({}, { nodes: ["pve2"], clones: [] })).toEqual(passes);
  expect(await of({}, { nodes: ["pve2"], clones: [{ name: "web-1", vmId: 9101, node: "pve1" }] })).toEqual(passes);
});
