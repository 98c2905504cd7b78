import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Rollout, rolloutOf } from "./rollout.ts";

/** What has become of a clone that wants to go: `waits`, `goes`, or why it stays. */
function entering(rollout: Rollout, vmId: number): () => Promise<string> {
  let fate = "waits";
  rollout.enter(vmId).then(
    () => {
      fate = "goes";
    },
    (error: Error) => {
      fate = error.message;
    },
  );
  return async () => {
    await Promise.resolve();
    return fate;
  };
}

describe("a rollout", () => {
  it("lets one clone go at a time, the next when the one before is healthy again", async () => {
    const rollout = new Rollout();
    const [first, second] = [entering(rollout, 9101), entering(rollout, 9102)];
    expect([await first(), await second()]).toEqual(["goes", "waits"]);
    rollout.gone(9101);
    rollout.begin(9101);
    expect(await second()).toBe("waits");
    rollout.healthy(9101);
    expect(await second()).toBe("goes");
  });

  it("lets as many go as may be unavailable", async () => {
    const rollout = new Rollout();
    rollout.limit = 2;
    const fates = [9101, 9102, 9103].map((vmId) => entering(rollout, vmId));
    expect(await Promise.all(fates.map((fate) => fate()))).toEqual(["goes", "goes", "waits"]);
  });

  it("counts clones that are missing anyway, such as those that failed in an earlier run", async () => {
    const rollout = new Rollout();
    rollout.begin(9101);
    const next = entering(rollout, 9102);
    expect(await next()).toBe("waits");
    rollout.healthy(9101);
    expect(await next()).toBe("goes");
  });

  it("stops for those that wait and those that come when too many are not well, and says which and why", async () => {
    const rollout = new Rollout();
    const [, waiting] = [entering(rollout, 9101), entering(rollout, 9102)];
    rollout.unhealthy(9101, "not ready in time");
    const text = "it is left as it is, because the rollout has stopped: not healthy VM 9101 (not ready in time)";
    expect(await waiting()).toContain(text);
    expect(await waiting()).toContain("maxUnavailable is 1");
    expect(await entering(rollout, 9103)()).toContain(text);
  });

  it("bears with fewer unhealthy ones than may be unavailable, but they keep their places", async () => {
    const rollout = new Rollout();
    rollout.limit = 2;
    const [, , third] = [9101, 9102, 9103].map((vmId) => entering(rollout, vmId));
    rollout.unhealthy(9101, "failed");
    expect(await third?.()).toBe("waits");
    rollout.healthy(9102);
    expect(await third?.()).toBe("goes");
  });

  it("goes on when one that was not well gets well", async () => {
    const rollout = new Rollout();
    rollout.unhealthy(9101, "failed");
    rollout.begin(9101);
    rollout.healthy(9101);
    expect(await entering(rollout, 9102)()).toBe("goes");
  });

  it("is one for all clones of a set, and another one for another set or stack", () => {
    const one = rolloutOf({ stack: "o/p/dev", set: "web" });
    expect(rolloutOf({ stack: "o/p/dev", set: "web" })).toBe(one);
    expect(rolloutOf({ stack: "o/p/dev", set: "app" })).not.toBe(one);
    expect(rolloutOf({ stack: "o/p/prod", set: "web" })).not.toBe(one);
  });
});

describe("a run that was stopped between delete and create", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("does not keep the others waiting for ever: nobody makes the deleted clone any more", async () => {
    const rollout = new Rollout();
    const [, next] = [entering(rollout, 9101), entering(rollout, 9102)];
    rollout.gone(9101);
    await vi.runAllTimersAsync();
    expect(await next()).toContain("VM 9101 (it was deleted, and the run ended before it was made anew)");
  });

  it("is not suspected while the new clone is being made, however long that takes", async () => {
    const rollout = new Rollout();
    const [, next] = [entering(rollout, 9101), entering(rollout, 9102)];
    rollout.gone(9101);
    rollout.begin(9101);
    await vi.runAllTimersAsync();
    expect(await next()).toBe("waits");
  });
});
