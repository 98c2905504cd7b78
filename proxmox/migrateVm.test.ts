import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, ConnectionError } from "./errors.ts";
import { fakeClient, inTurn } from "./fakeClient.ts";
import { migrateVm } from "./migrateVm.ts";

// Nobody waits here. Fake timers do not reach the pauses of `node:timers/promises`.
vi.mock("node:timers/promises", () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
}));
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const VM = { node: "pve1", vmId: 9101 };

/**
 * A VM on pve1 that is to go to pve2.
 *
 * @param action what PVE says to the request: the type of the task, or an error
 * @param there whether it is on pve2, at each look
 */
function pve({ action = ["qmigrate"] as (string | Error)[], task = ["OK"], there = [true], status = "running" }) {
  const [actions, tasks, arrived] = [inTurn(...action), inTurn(...task), inTurn(...there)];
  return fakeClient((call) => {
    if (call.endsWith("/status/current")) return { status };
    if (call.startsWith("POST")) {
      const answer = actions();
      return answer instanceof Error ? answer : `UPID:pve1:1:2:3:${answer}:9101:a@pve:`;
    }
    if (call.endsWith("/config")) {
      const text = "Configuration file 'nodes/pve2/qemu-server/9101.conf' does not exist";
      return arrived() ? { name: "web-1" } : new ApiError("GET", 500, text);
    }
    if (call.endsWith("/log") || call.endsWith("/tasks")) return [];
    return { status: "stopped", exitstatus: tasks() };
  });
}

async function migrated(client: ReturnType<typeof pve>["client"]): Promise<void> {
  const work = migrateVm(client, VM, "pve2");
  work.catch(() => undefined);
  await vi.runAllTimersAsync();
  return work;
}
const requests = (asked: string[]) => asked.filter((call) => call.startsWith("POST"));
const looks = (asked: string[]) => asked.filter((call) => call.endsWith("/config"));

describe("a VM goes to another node", () => {
  it.each([
    ["running", true],
    ["stopped", false],
  ])("%s, with its local disks", async (status, online) => {
    const { client, asked } = pve({ status });
    await migrated(client);
    expect(requests(asked)).toEqual([
      `POST /nodes/pve1/qemu/9101/migrate {"target":"pve2","online":${online},"with-local-disks":true}`,
    ]);
    expect(looks(asked)).toEqual([]);
  });

  it("once, when it has arrived although the answer got lost", async () => {
    const { client, asked } = pve({ action: [new ConnectionError("dropped", "broke off")] });
    await migrated(client);
    expect(requests(asked)).toHaveLength(1);
  });

  it("again, when pvedaemon had no worker and it has not arrived", async () => {
    const noWorker = new ApiError("POST", 500, "got no worker upid - start worker failed");
    const { client, asked } = pve({ action: [noWorker, "qmigrate"], there: [false] });
    await migrated(client);
    expect(requests(asked)).toHaveLength(2);
  });

  it("or not: a refusal is told with the end of the task's log", async () => {
    const { client } = pve({ task: ["migration aborted"] });
    await expect(migrated(client)).rejects.toMatchObject({ name: "TaskError", exitStatus: "migration aborted" });
  });

  it("by the HA manager, which only notes the request: until it is there", async () => {
    const { client, asked } = pve({ action: ["hamigrate"], there: [false, false, true] });
    await migrated(client);
    expect(looks(asked)).toHaveLength(3);
    const never = pve({ action: ["hamigrate"], there: [false] });
    await expect(migrated(never.client)).rejects.toThrow("VM 9101 was not on pve2 within 600 s");
  });
});
