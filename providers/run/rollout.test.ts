import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Rollout, Rollouts } from "./rollout.ts";

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
});

describe("the rollouts of a run", () => {
  it("are one for all clones of a set, with the limit that it has now, and another one for another set", () => {
    const rollouts = new Rollouts();
    const web = rollouts.enter(9101, "web", 1);
    expect(rollouts.enter(9102, "web", 2)).toBe(web);
    expect(web.limit).toBe(2);
    expect(rollouts.enter(9201, "app", 1)).not.toBe(web);
  });

  it("keep their limit when the stack or the set has another name: a clone that is deleted is known by its VMID", async () => {
    // What is deleted has its state, in which stack and set are called as they were.
    const rollouts = new Rollouts();
    for (const vmId of [9101, 9102, 9103]) rollouts.enter(vmId, "web-renamed", 1).replacing.add(vmId);
    const fates = [9101, 9102, 9103].map((vmId) => entering(rollouts.of(vmId), vmId));
    expect(await Promise.all(fates.map((fate) => fate()))).toEqual(["goes", "waits", "waits"]);
    rollouts.of(9101).gone(9101);
    rollouts.enter(9101, "web-renamed", 1).begin(9101);
    rollouts.of(9101).healthy(9101);
    expect(await Promise.all(fates.map((fate) => fate()))).toEqual(["goes", "goes", "waits"]);
  });

  it("do not hold back a clone that the config does not have any more", async () => {
    const rollouts = new Rollouts();
    rollouts.enter(9101, "web", 1).begin(9101);
    expect(await entering(rollouts.of(9102), 9102)()).toBe("goes");
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
