import { expect, test } from "vitest";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { addContent, addContentLine, choiceFor, listNodeDatastores } from "./datastores.ts";

const configs = [
  { storage: "local", type: "dir", content: "iso,vztmpl", digest: "d1" },
  { storage: "local-lvm", type: "lvmthin", content: "images,rootdir", digest: "d1" },
  { storage: "nfs", type: "nfs", content: "images,snippets", nodes: "pve1,pve2", path: "/mnt/pve/nfs", digest: "d1" },
  { storage: "san", type: "lvm", content: "images", digest: "d1" },
];
const here = [
  { storage: "local", type: "dir", content: "iso,vztmpl", active: 1, enabled: 1, avail: 10, total: 20 },
  { storage: "local-lvm", type: "lvmthin", content: "images,rootdir", active: 1, enabled: 1, avail: 50, total: 90 },
  { storage: "nfs", type: "nfs", content: "images,snippets", active: 0, enabled: 1, shared: 1 },
  { storage: "san", type: "lvm", content: "images", active: 1, enabled: 1, shared: 1, avail: 900, total: 999 },
];
const cluster = (put: unknown = null) =>
  fakeClient((call) => {
    if (call === "GET /storage") return configs;
    if (call === "GET /nodes/pve1/storage") return here;
    if (call.startsWith("PUT /storage/")) return put;
    throw new Error(call);
  });

test("the datastores of a node, with what they could have besides", async () => {
  const found = await listNodeDatastores(cluster().client, "pve1");
  expect(found.map(({ storage, couldHave, linkedClones }) => [storage, couldHave, linkedClones])).toEqual([
    ["san", [], false],
    ["local-lvm", [], true],
    ["local", ["import", "snippets", "images"], true],
    ["nfs", ["import"], true],
  ]);
  expect(found[3]).toEqual({
    storage: "nfs",
    type: "nfs",
    content: ["images", "snippets"],
    couldHave: ["import"],
    shared: true,
    nodes: ["pve1", "pve2"],
    path: "/mnt/pve/nfs",
    active: false,
    linkedClones: true,
  });
});

test("disks go where linked clones work; what is not active is not offered", async () => {
  const found = await listNodeDatastores(cluster().client, "pve1");
  const names = (type: "images" | "import" | "snippets") => {
    const { have, could } = choiceFor(found, type);
    return [have, could].map((all) => all.map(({ storage }) => storage));
  };
  expect(names("images")).toEqual([["local-lvm", "san"], ["local"]]);
  expect(names("import")).toEqual([[], ["local"]]);
  expect(() =>
    choiceFor(
      found.filter(({ storage }) => storage !== "local"),
      "snippets",
    ),
  ).toThrow(
    "no datastore of the node has the content type snippets or could have it; found san (lvm), local-lvm (lvmthin), nfs (nfs, not active)",
  );
});

test("a content type is added to those that are there, on the state that was read", async () => {
  const { client, asked } = cluster();
  expect(await addContent(client, "local", "import")).toEqual(["iso", "vztmpl", "import"]);
  expect(asked.at(-1)).toBe('PUT /storage/local {"content":"iso,vztmpl,import","digest":"d1"}');
  expect(await addContent(client, "nfs", "snippets")).toEqual(["images", "snippets"]);
  expect(asked.filter((call) => call.startsWith("PUT"))).toHaveLength(1);
});

test("what cannot be added is told, and what to do", async () => {
  await expect(addContent(cluster().client, "local-lvm", "import")).rejects.toMatchObject({
    code: "refused",
    message: "datastore local-lvm is of type lvmthin, which cannot have import",
  });
  const error = (status: number, text: string) => cluster(new ApiError("PUT /storage/local", status, text)).client;
  const refused = "Permission check failed (/storage, Datastore.Allocate)";
  await expect(addContent(error(403, refused), "local", "import")).rejects.toMatchObject({
    code: "rights",
    message: `this login may not change datastores: ${refused}`,
    todo: ["pvesm set local --content iso,vztmpl,import"],
  });
  const changed = "update storage failed: detected modified configuration - file changed by other user? Try again.";
  await expect(addContent(error(500, changed), "local", "import")).rejects.toMatchObject({ code: "changed" });
});

test("an empty content list has `none`, which stands alone", () => {
  expect(addContentLine({ storage: "a1", content: ["none"] }, "import")).toBe("pvesm set a1 --content import");
});
