import { expect, test } from "vitest";
import type { Permissions } from "../../../../proxmox/cluster.ts";
import { fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { poolExists } from "./pools.ts";

const fleet = fakeFleet({ templates: { noble: { vmId: 9000, image: { url: "http://m/n.img" }, pool: "golden" } } });

const counted = { namePattern: "web-{n}", firstVmId: 9101 };

test("a pool that does not exist, and one that may not be seen", async () => {
  const permissions = async () => ({ "/pool": { "Pool.Audit": 1 } });
  expect(await poolExists.run(fakeFacts({ fleet, permissions }))).toMatchObject([
    { status: "fail", path: "templates.noble.pool", todo: ["pveum pool add golden"] },
  ]);
  expect((await found(poolExists, fakeFacts({ fleet })))[0]).toMatch(
    /^skip templates\.noble\.pool: pool golden cannot be seen/,
  );
  expect(await found(poolExists, fakeFacts({ fleet, pools: async () => [{ poolid: "golden" }] }))).toEqual([
    "pass every pool exists",
  ]);
});

test("a nested pool comes with the pools that it is in", async () => {
  const nested = fakeFleet({ cloneSets: { web: { template: "noble", count: 0, pool: "prod/eu/web", ...counted } } });
  const todo = async (known: string[], permissions: Permissions) => {
    const pools = async () => known.map((poolid) => ({ poolid }));
    const [finding] = await poolExists.run(fakeFacts({ fleet: nested, pools, permissions: async () => permissions }));
    return finding?.todo;
  };
  const all = { "/pool": { "Pool.Audit": 1 } };
  expect(await todo(["prod"], all)).toEqual(["pveum pool add prod/eu", "pveum pool add prod/eu/web"]);
  // What this login cannot see may be there.
  expect(await todo([], { "/pool/prod/eu": { "Pool.Audit": 1 } })).toEqual([
    "pveum pool add prod/eu",
    "pveum pool add prod/eu/web",
  ]);
  expect(await todo(["prod", "prod/eu", "prod/eu/web"], {})).toBeUndefined();
});

test("without a pool in the config nothing is asked", async () => {
  const pools = () => Promise.reject(new Error("asked"));
  expect(await poolExists.run(fakeFacts({ pools }))).toEqual([]);
});
