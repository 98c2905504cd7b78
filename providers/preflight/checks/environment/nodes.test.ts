import { expect, test } from "vitest";
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

test("a node that is offline is told where it is named", async () => {
  const nodes = async () => [
    { node: "pve1", status: "online" as const },
    { node: "pve2", status: "offline" as const },
  ];
  expect(await found(nodeOnline, fakeFacts({ fleet, nodes }))).toEqual([
    "fail templates.noble.node: node pve2 is offline; expected it online",
  ]);
  expect(await found(nodeOnline, fakeFacts())).toEqual(["pass all nodes of the config are online"]);
});
