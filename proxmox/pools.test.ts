import { describe, expect, it } from "vitest";
import { ApiError } from "./errors.ts";
import { fakeClient, inTurn } from "./fakeClient.ts";
import { intoPool, outOfPool } from "./pools.ts";

const refused = (text: string) => new ApiError("PUT /pools", 500, text);
const answers = (...list: unknown[]) => fakeClient(inTurn(...list));

describe("a VM", () => {
  it("comes into a pool, out of the one that it is in, nested pools too", async () => {
    const { client, asked } = answers(null);
    await intoPool(client, "prod/web", 9101);
    expect(asked).toEqual(['PUT /pools {"poolid":"prod/web","vms":"9101","allow-move":true}']);
  });

  it("that is in the pool already is fine: an answer may have got lost, and PVE clones into pools", async () => {
    const { client, asked } = answers(
      new ApiError("PUT /pools", 596, "Broken pipe"),
      refused("update pools failed: VM 9101 is already a pool member"),
    );
    await intoPool(client, "web", 9101);
    expect(asked).toHaveLength(2);
  });

  it("goes out of its pool", async () => {
    const { client, asked } = answers(null);
    await outOfPool(client, "web", 9101);
    expect(asked).toEqual(['PUT /pools {"poolid":"web","vms":"9101","delete":true}']);
  });

  it.each(["update pools failed: VM 9101 is not a pool member", "update pools failed: pool 'web' does not exist"])(
    "that is out of it already is fine: %s",
    async (text) => {
      const { client, asked } = answers(refused(text));
      await outOfPool(client, "web", 9101);
      expect(asked).toHaveLength(1);
    },
  );

  it("does not come into a pool that is not there, or that the login may not change", async () => {
    await expect(intoPool(answers(refused("update pools failed: pool 'web' does not exist")).client, "web", 9101)) //
      .rejects.toThrow("pool 'web' does not exist");
    const may = new ApiError("PUT /pools", 403, "Permission check failed (/pool/web, Pool.Allocate)");
    await expect(outOfPool(answers(may).client, "web", 9101)).rejects.toThrow("Permission check failed");
  });

  it("is moved again when somebody else had the lock of the user config", async () => {
    const { client, asked } = answers(
      refused("update pools failed: cfs-lock 'file-user_cfg' error: got lock request timeout"),
      null,
    );
    await intoPool(client, "web", 9101);
    expect(asked).toHaveLength(2);
  });
});
