import { describe, expect, it } from "vitest";
import type { Params, PveClient } from "./client.ts";
import { ApiError, ConnectionError, type TaskError } from "./errors.ts";
import { waitForTask } from "./task.ts";

const UPID = "UPID:pve1:0000A:0000B:66:qmclone:9000:fleet@pve!golden:";

/** A PVE with one task: what each look at its status gives, and its log as it grows. */
function pve(statuses: (object | Error)[], log: string[], growth = log.length) {
  const asked: string[] = [];
  let looks = 0;
  let lines = 0;
  const get = async (apiPath: string, params: Params = {}) => {
    asked.push(apiPath);
    if (apiPath.endsWith("/status")) {
      const status = statuses[Math.min(looks++, statuses.length - 1)];
      lines = Math.min(log.length, lines + growth);
      if (status instanceof Error) throw status;
      return status;
    }
    const { start, limit } = params as { start: number; limit: number };
    const shown = log.slice(0, lines).map((t, index) => ({ n: index + 1, t }));
    return shown.length === 0 ? [{ n: 1, t: "no content" }] : shown.slice(start, start + limit);
  };
  return { client: { get, getOnce: get } as unknown as PveClient, asked };
}

const running = { status: "running" };
const ok = { status: "stopped", exitstatus: "OK" };

describe("waiting for a task", () => {
  it("asks the node that the task runs on, with its whole id", async () => {
    const { client, asked } = pve([ok], []);
    await waitForTask(client, UPID);
    expect(asked).toEqual([`/nodes/pve1/tasks/${encodeURIComponent(UPID)}/status`]);
  });

  /** Whether a task's wait begins with a look at it, and the wait's end. */
  async function looksAtOnce(client: PveClient, asked: string[], upid: string) {
    const before = asked.length;
    const waited = waitForTask(client, upid);
    await new Promise((resolve) => setImmediate(resolve));
    const atOnce = asked.length > before;
    await waited;
    return atOnce;
  }

  it("first asks when it should be over, once it knows how long such tasks take on that node", async () => {
    const { client, asked } = pve([running, running, running, running, ok], []);
    expect(await looksAtOnce(client, asked, UPID)).toBe(true);
    expect(asked).toHaveLength(5);
    expect(await looksAtOnce(client, asked, UPID)).toBe(false);
    expect(asked).toHaveLength(6);
    expect(await looksAtOnce(client, asked, UPID.replace("pve1", "pve2"))).toBe(true);
    expect(await looksAtOnce(client, asked, UPID.replace("qmclone", "qmstart"))).toBe(true);
  });

  it("a task whose log is shown says nothing of one that is not: full clones and linked ones have one type", async () => {
    const { client, asked } = pve([running, running, running, running, ok], []);
    await waitForTask(client, UPID, { onLog: () => {} });
    expect(await looksAtOnce(client, asked, UPID)).toBe(true);
  });

  it("a failure says nothing of how long such tasks take", async () => {
    const { client, asked } = pve([running, running, running, { ...ok, exitstatus: "clone failed" }, ok], []);
    await expect(waitForTask(client, UPID)).rejects.toThrow("clone failed");
    expect(await looksAtOnce(client, asked, UPID)).toBe(true);
  });

  it("tells each line of the log once and in order, however long it is", async () => {
    const log = Array.from({ length: 1203 }, (_, index) => `line ${index}`);
    const { client } = pve([running, running, running, ok], log, 601);
    const told: string[] = [];
    await waitForTask(client, UPID, { onLog: (line) => told.push(line) });
    expect(told).toEqual(log);
  });

  it("an empty log has no lines", async () => {
    const { client } = pve([running, ok], []);
    const told: string[] = [];
    await waitForTask(client, UPID, { onLog: (line) => told.push(line) });
    expect(told).toEqual([]);
  });

  it("a failure has PVE's words and the end of its log", async () => {
    const log = Array.from({ length: 700 }, (_, index) => `line ${index}`);
    const { client } = pve([{ status: "stopped", exitstatus: "clone failed: no space" }], log);
    const error = (await waitForTask(client, UPID).catch((one) => one)) as TaskError;
    expect(error.message).toBe("PVE task qmclone 9000 failed: clone failed: no space");
    expect(error.log).toEqual(["line 695", "line 696", "line 697", "line 698", "line 699"]);
  });

  it("warnings are no failure, and are given back", async () => {
    const log = ["start VM 9101", "WARN: no efidisk configured! Using temporary efivars disk.", "TASK WARNINGS: 1"];
    const { client } = pve([{ status: "stopped", exitstatus: "WARNINGS: 1" }], log);
    expect(await waitForTask(client, UPID)).toEqual([log[1]]);
  });

  it("a worker that was killed is a failure, with or without a status", async () => {
    await expect(waitForTask(pve([{ status: "stopped", exitstatus: "unexpected status" }], []).client, UPID))
      .rejects //
      .toThrow("failed: unexpected status");
    await expect(waitForTask(pve([{ status: "stopped" }], []).client, UPID)).rejects.toThrow("without a result");
  });

  it("goes on when the node does not answer for a while: the task goes on too", async () => {
    const away = [
      new ConnectionError("refused", ""),
      new ApiError("GET /", 595, "Connection refused"),
      ...Array(5).fill(new ConnectionError("timeout", "")),
    ];
    const { client, asked } = pve([running, ...away, ok], []);
    await waitForTask(client, UPID, { pauseMs: 1 });
    expect(asked).toHaveLength(9);
  });

  it("does not wait for ever for a node that is gone", async () => {
    const { client } = pve([new ConnectionError("refused", "gone")], []);
    await expect(waitForTask(client, UPID, { pauseMs: 1 })).rejects.toThrow("gone");
  });

  it("a task that PVE does not know is not waited for", async () => {
    const { client, asked } = pve([new ApiError("GET /", 400, "no such task")], []);
    await expect(waitForTask(client, UPID, { pauseMs: 1 })).rejects.toThrow("no such task");
    expect(asked).toHaveLength(1);
  });
});
