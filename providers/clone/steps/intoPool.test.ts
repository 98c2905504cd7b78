import { describe, expect, it } from "vitest";
import { fakeClone, fakeState, fakeWork } from "../fakeClone.ts";
import { intoPool } from "./intoPool.ts";

/** @param had the pool that the state has @param wanted the config's */
async function pooling(had: string | undefined, wanted: string | undefined, fails?: Error) {
  const asked: string[] = [];
  const say = (how: string) => async (pool: string, vmId: number) => {
    asked.push(`${how} ${pool} ${vmId}`);
    if (fails) throw fails;
  };
  const spec = fakeClone(had === undefined ? {} : { pool: had });
  const work = fakeWork(wanted === undefined ? {} : { pool: wanted }, { state: fakeState({ spec }) });
  const error = await intoPool({ intoPool: say("into"), outOfPool: say("out of") }, work).catch((one: Error) => one);
  return { asked, error, pool: work.state.spec.pool };
}

describe("a clone", () => {
  it("goes into the pool that its config names, from none or from another one", async () => {
    expect(await pooling(undefined, "web")).toMatchObject({ asked: ["into web 9101"], pool: "web" });
    expect(await pooling("app", "web")).toMatchObject({ asked: ["into web 9101"], pool: "web" });
  });

  it("goes out of its pool when the config has none any more", async () => {
    expect(await pooling("web", undefined)).toMatchObject({ asked: ["out of web 9101"], pool: undefined });
  });

  it.each([undefined, "web"])("stays where it is with pool %s", async (pool) => {
    expect(await pooling(pool, pool)).toMatchObject({ asked: [], pool });
  });

  it.each([
    ["app", "web"],
    ["web", undefined],
  ])("is still in pool %s when PVE refuses another one (%s)", async (had, wanted) => {
    const refused = new Error("Permission check failed");
    expect(await pooling(had, wanted, refused)).toMatchObject({ error: refused, pool: had });
  });
});
