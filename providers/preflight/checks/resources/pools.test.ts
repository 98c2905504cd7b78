import { expect, test } from "vitest";
import { fakeFacts, fakeFleet, found } from "../../fakeFacts.ts";
import { poolExists } from "./pools.ts";

const fleet = fakeFleet({ templates: { noble: { vmId: 9000, image: { url: "http://m/n.img" }, pool: "golden" } } });

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

test("without a pool in the config nothing is asked", async () => {
  const pools = () => Promise.reject(new Error("asked"));
  expect(await poolExists.run(fakeFacts({ pools }))).toEqual([]);
});
