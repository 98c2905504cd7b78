import { expect, test } from "vitest";
import type { Datastore } from "../../../../proxmox/storage.ts";
import { fakeDatastores, fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { NotAsked } from "../../finding.ts";
import { datastoreActive, datastoreContent, datastoreExists, datastoreSpace } from "./datastores.ts";

const GIB = 2 ** 30;

/** The healthy datastores with some changes to one of them. */
const having = (storage: string, changes: Partial<Datastore>) => async () =>
  fakeDatastores.map((one) => (one.storage === storage ? { ...one, ...changes } : one));

test("all is well on a healthy node", async () => {
  for (const check of [datastoreExists, datastoreActive, datastoreContent, datastoreSpace])
    expect(await check.run(fakeFacts())).toMatchObject([{ status: "pass" }]);
});

test("a datastore that does not exist is told once for each place in the config", async () => {
  const fleet = fakeFleet({
    cluster: { datastores: { images: "locl", disks: "tank" } },
    templates: {
      noble: {
        vmId: 9000,
        image: { url: "http://m/n.img" },
        uefi: { enabled: true, datastore: "efi" },
        tpm: { enabled: true, datastore: "tpm" },
      },
    },
    cloneSets: { web: { template: "noble", mode: "full", datastore: "ssd", clones: [] } },
  });
  const lines = await found(datastoreExists, fakeFacts({ fleet }));
  expect(lines).toEqual([
    expect.stringMatching(/^fail cluster\.datastores\.images: found "locl" .*did you mean "local"\?$/),
    expect.stringMatching(/^fail cluster\.datastores\.disks: found "tank" .*expected one of local, local-lvm$/),
    expect.stringMatching(/^fail templates\.noble\.uefi\.datastore: found "efi" \(for the EFI disk\)/),
    expect.stringMatching(/^fail templates\.noble\.tpm\.datastore: found "tpm" \(for the TPM state\)/),
  ]);
});

test("full clones' datastore is looked at, and one that is limited to other nodes is told as such", async () => {
  const fleet = fakeFleet({
    cloneSets: { web: { template: "noble", mode: "full", datastore: "ssd", clones: [{ name: "w", vmId: 9101 }] } },
  });
  const datastoreConfigs = async () => [{ storage: "ssd", type: "dir", nodes: "pve2" }];
  const [finding] = await datastoreExists.run(fakeFacts({ fleet, datastoreConfigs }));
  expect(finding).toMatchObject({
    status: "fail",
    path: "cloneSets.web.datastore",
    todo: ["pvesm set ssd --nodes pve2,pve1"],
  });
});

test("a datastore that is disabled or cannot be reached", async () => {
  expect(await found(datastoreActive, fakeFacts({ datastores: having("local", { enabled: 0, active: 0 }) }))).toEqual([
    "fail cluster.datastores.images: datastore local is disabled; expected it enabled",
    "fail cluster.datastores.snippets: datastore local is disabled; expected it enabled",
  ]);
  expect(await found(datastoreActive, fakeFacts({ datastores: having("local-lvm", { active: 0 }) }))).toEqual([
    "fail cluster.datastores.disks: datastore local-lvm is not active on node pve1: PVE cannot reach or mount it",
  ]);
});

test("missing content types come with the line that sets them all", async () => {
  const findings = await datastoreContent.run(fakeFacts({ datastores: having("local", { content: "iso,vztmpl" }) }));
  expect(findings).toMatchObject([
    {
      status: "fail",
      path: "cluster.datastores.images",
      todo: ["pvesm set local --content import,iso,snippets,vztmpl"],
    },
    {
      status: "fail",
      path: "cluster.datastores.snippets",
      todo: ["pvesm set local --content import,iso,snippets,vztmpl"],
    },
  ]);
  expect(findings[0]?.message).toBe('datastore local carries iso, vztmpl; expected import ("Import") for cloud images');
});

test("disks on a datastore without content type images", async () => {
  const fleet = fakeFleet({ cluster: { datastores: { disks: "local" } } });
  expect((await found(datastoreContent, fakeFacts({ fleet })))[0]).toMatch(
    /^fail cluster\.datastores\.disks: .*expected images \("Disk image"\) for disks$/,
  );
});

const many = fakeFleet({
  cloneSets: { web: { template: "noble", mode: "full", count: 10, namePattern: "w-{n}", firstVmId: 9101 } },
});

test("too little room: a failure on thick storage, a warning on thin", async () => {
  const little = (type: string) => having("local-lvm", { type, avail: 100 * GIB });
  expect(await found(datastoreSpace, fakeFacts({ fleet: many, datastores: little("lvm") }))).toEqual([
    "fail cluster.datastores.disks: datastore local-lvm on node pve1 has 100 GiB free; the disks of 11 new VMs are 220 GiB, all of it allocated at once",
  ]);
  expect((await found(datastoreSpace, fakeFacts({ fleet: many, datastores: little("lvmthin") })))[0]).toMatch(
    /^warn .* are 220 GiB\. It is thin, so they fit until they have grown$/,
  );
});

test("VMs that exist need no more room, linked clones none of their own", async () => {
  const guests = async () => [{ vmid: 9000, node: "pve1", type: "qemu" as const }];
  const datastores = having("local-lvm", { avail: 10 * GIB });
  expect(await datastoreSpace.run(fakeFacts({ guests, datastores }))).toEqual([]);
});

test("a full datastore is a failure, however thin", async () => {
  const [finding] = await datastoreSpace.run(fakeFacts({ datastores: having("local-lvm", { avail: GIB / 2 }) }));
  expect(finding).toMatchObject({ status: "fail", path: "cluster.datastores.disks" });
});

test("of two nodes the one that cannot be asked is skipped, the other is looked at", async () => {
  const fleet = fakeFleet({
    cluster: { datastores: { disks: "tank" } },
    templates: {
      noble: { vmId: 9000, image: { url: "http://m/n.img" } },
      far: { vmId: 9001, image: { url: "http://m/n.img" }, node: "pve9" },
    },
  });
  const datastores = async (node: string) => {
    if (node === "pve9") throw new NotAsked("there is no node pve9, see node-exists");
    return fakeDatastores;
  };
  const lines = await found(datastoreExists, fakeFacts({ fleet, datastores }));
  expect(lines.map((one) => one.slice(0, 35))).toEqual([
    "fail cluster.datastores.disks: foun",
    "skip there is no node pve9, see nod",
  ]);
});
