import { describe, expect, it, vi } from "vitest";
import type { PveClient } from "./client.ts";
import { ApiError, ConnectionError, TaskError } from "./errors.ts";
import { fakeClient, inTurn } from "./fakeClient.ts";
import { nodeOf, runTask, typeOf, waitForTask, waitForTasksOf } from "./task.ts";

const UPID = "UPID:pve1:0000A:0000B:66:qmclone:9000:fleet@pve!golden:";

/** The request for all that runs on a node. */
const LIST = 'GET /nodes/pve1/tasks {"source":"active","limit":1000}';

/** A PVE with one task, which no list has: what each look at its status gives, and its log as it grows. */
function pve(statuses: (object | Error)[], log: string[] = [], growth = log.length) {
  const status = inTurn<object | Error>(...statuses);
  let lines = 0;
  return fakeClient((call, params) => {
    if (call.endsWith("/tasks")) return [];
    if (call.endsWith("/status")) {
      lines = Math.min(log.length, lines + growth);
      return status();
    }
    const { start, limit } = params as { start: number; limit: number };
    const shown = log.slice(0, lines).map((t, index) => ({ n: index + 1, t }));
    return shown.length === 0 ? [{ n: 1, t: "no content" }] : shown.slice(start, start + limit);
  });
}

const running = { status: "running" };
const ok = { status: "stopped", exitstatus: "OK" };

describe("waiting for a task", () => {
  it("asks the node that the task runs on what runs there, and then how the task has ended, by its whole id", async () => {
    const { client, asked } = pve([ok]);
    await waitForTask(client, UPID);
    expect(asked).toEqual([LIST, `GET /nodes/pve1/tasks/${UPID}/status`]);
    expect([nodeOf(UPID), typeOf(UPID)]).toEqual(["pve1", "qmclone"]);
  });

  it("asks for the status of none that the node still lists", async () => {
    const list = inTurn([{ upid: UPID }], [{ upid: UPID }], [{ upid: UPID, endtime: 7, status: "OK" }]);
    const { client, asked } = fakeClient((call) => (call.endsWith("/tasks") ? list() : ok));
    await waitForTask(client, UPID);
    expect(asked).toEqual([LIST, LIST, LIST, `GET /nodes/pve1/tasks/${UPID}/status`]);
  });

  it("asks once for all that it waits for", async () => {
    const { client, asked } = pve([ok]);
    await Promise.all(["1", "2", "3"].map((pid) => waitForTask(client, UPID.replace("0000A", pid))));
    expect(asked.filter((call) => call === LIST)).toHaveLength(1);
  });

  /** How long a task was known to be under way when the node was first asked what runs there, in milliseconds. */
  async function firstLook(client: PveClient, asked: string[], upid: string): Promise<number> {
    asked.length = 0;
    const begun = performance.now();
    const waited = waitForTask(client, upid);
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0), { interval: 1, timeout: 10_000 });
    const after = performance.now() - begun;
    await waited;
    return after;
  }

  it("first asks when it should be over, once it knows how long such tasks take on that node", async () => {
    const { client, asked } = pve([running, running, running, running, running, ok]);
    const unknown = await firstLook(client, asked, UPID);
    const known = await firstLook(client, asked, UPID);
    expect(known).toBeGreaterThan(400);
    expect(unknown).toBeLessThan(known);
    expect(await firstLook(client, asked, UPID.replace("pve1", "pve2"))).toBeLessThan(known);
    expect(await firstLook(client, asked, UPID.replace("qmclone", "qmstart"))).toBeLessThan(known);
  });

  it("a task whose log is shown says nothing of one that is not: full clones and linked ones have one type", async () => {
    const { client, asked } = pve([running, running, running, running, running, ok]);
    await waitForTask(client, UPID, { onLog: () => {} });
    expect(await firstLook(client, asked, UPID)).toBeLessThan(400);
  });

  it("a failure says nothing of how long such tasks take", async () => {
    const failed = { ...ok, exitstatus: "clone failed" };
    const { client, asked } = pve([running, running, running, running, running, failed, ok]);
    await expect(waitForTask(client, UPID)).rejects.toThrow("clone failed");
    expect(await firstLook(client, asked, UPID)).toBeLessThan(400);
  });

  it("tells each line of the log once and in order, however long it is", async () => {
    const log = Array.from({ length: 1203 }, (_, index) => `line ${index}`);
    const { client } = pve([running, running, running, ok], log, 601);
    const told: string[] = [];
    await waitForTask(client, UPID, { onLog: (line) => told.push(line) });
    expect(told).toEqual(log);
  });

  it("an empty log has no lines", async () => {
    const { client } = pve([running, ok]);
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
    await expect(
      waitForTask(pve([{ status: "stopped", exitstatus: "unexpected status" }]).client, UPID),
    ).rejects.toThrow("failed: unexpected status");
    await expect(waitForTask(pve([{ status: "stopped" }]).client, UPID)).rejects.toThrow("without a result");
  });

  it("goes on when the node does not answer for a while: the task goes on too", async () => {
    const away = [
      new ConnectionError("refused", ""),
      new ApiError("GET /", 595, "Connection refused"),
      ...Array(5).fill(new ConnectionError("timeout", "")),
    ];
    const { client, asked } = pve([running, ...away, ok]);
    await waitForTask(client, UPID);
    expect(asked.filter((call) => call.endsWith("/status"))).toHaveLength(9);
  });

  it("does not wait for ever for a node that is gone", async () => {
    const { client } = pve([new ConnectionError("refused", "gone")]);
    await expect(waitForTask(client, UPID)).rejects.toThrow("gone");
  });

  it("a task that PVE does not know is not waited for", async () => {
    const { client, asked } = pve([new ApiError("GET /", 400, "no such task")]);
    await expect(waitForTask(client, UPID)).rejects.toThrow("no such task");
    expect(asked).toEqual([LIST, `GET /nodes/pve1/tasks/${UPID}/status`]);
  });
});

describe("what PVE still does with a VM", () => {
  const task = (n: number, more = {}) => ({ upid: `UPID:pve1:${n}:2:3:qmstart:9101:a@pve:`, type: "qmstart", ...more });

  it("is waited for, whatever becomes of it; what has just ended is not", async () => {
    const failed = { status: "stopped", exitstatus: "start failed" };
    const { client, asked } = fakeClient((call, { vmid }) => {
      if (call.endsWith("/tasks")) return vmid ? [task(1), task(2, { endtime: 7, status: "OK" })] : [];
      return call.endsWith("/log") ? [] : failed;
    });
    const told: string[] = [];
    expect(await waitForTasksOf(client, "pve1", 9101, (type) => told.push(type))).toBe(true);
    expect(told).toEqual(["qmstart"]);
    expect(asked.slice(0, 3)).toEqual([
      'GET /nodes/pve1/tasks {"source":"active","vmid":9101}',
      LIST,
      `GET /nodes/pve1/tasks/${task(1).upid}/status`,
    ]);
  });

  it("is nothing when no task runs", async () => {
    const { client } = fakeClient(() => [task(1, { endtime: 7 })]);
    expect(await waitForTasksOf(client, "pve1", 9101)).toBe(false);
  });
});

describe("having PVE do something", () => {
  const upid = "UPID:pve1:1:2:3:qmstart:9101:a@pve:";
  const noWorker = new ApiError("POST", 500, "got no worker upid - start worker failed");
  const locked = "can't lock file '/var/lock/qemu-server/lock-9101.conf' - got timeout";

  /**
   * @param sends what each request gives: a UPID, null, or an error
   * @param tasks how each task ends that is waited for
   * @param done whether the VM is as it should be, each time that this is asked
   */
  function having(sends: (string | null | Error)[], { tasks = ["OK"], done = [false], running = false } = {}) {
    const events: string[] = [];
    const ends = inTurn(...tasks);
    const send = inTurn<string | null | Error>(...sends);
    const isDone = inTurn(...done);
    const { client } = fakeClient((call, { vmid }) => {
      if (call.endsWith("/tasks")) {
        if (vmid === undefined) return [];
        events.push("list");
        return running ? [{ upid, type: "qmstart" }] : [];
      }
      if (call.endsWith("/log")) return [];
      events.push("wait");
      return { status: "stopped", exitstatus: ends() };
    });
    const request = {
      node: "pve1",
      vmId: 9101,
      send: async () => {
        events.push("send");
        const answer = send();
        if (answer instanceof Error) throw answer;
        return answer;
      },
      isDone: async () => {
        events.push("look");
        return isDone();
      },
    };
    const retried: string[] = [];
    const onRetry = (_error: unknown, number: number, all: number) => retried.push(`${number}/${all}`);
    return { events, retried, run: () => runTask(client, request, { onRetry }) };
  }

  it("is one request and the end of its task, or of what needs no task", async () => {
    const one = having([upid]);
    expect(await one.run()).toEqual([]);
    expect(one.events).toEqual(["send", "wait"]);
    const none = having([null]);
    await none.run();
    expect(none.events).toEqual(["send"]);
  });

  it.each([
    ["pvedaemon had no worker", noWorker],
    ["the answer got lost", new ConnectionError("dropped", "the connection broke off")],
    ["the node's proxy gave up", new ApiError("POST", 596, "Broken pipe")],
  ])("is not asked for twice when it is done although %s", async (_why, error) => {
    const { run, events } = having([error], { running: true, done: [true] });
    await run();
    expect(events).toEqual(["send", "list", "wait", "look"]);
  });

  it("is asked for again, after a look, when it is not done", async () => {
    const { run, events, retried } = having([noWorker, upid]);
    await run();
    expect(events).toEqual(["send", "list", "look", "send", "wait"]);
    expect(retried).toEqual(["1/4"]);
  });

  it("is asked for again when its task met a lock", async () => {
    const { run, events } = having([upid], { tasks: [locked, "OK"] });
    await run();
    expect(events).toEqual(["send", "wait", "list", "look", "send", "wait"]);
  });

  it("is given up after four requests", async () => {
    const { run, events } = having([noWorker]);
    await expect(run()).rejects.toBe(noWorker);
    expect(events.filter((event) => event === "send")).toHaveLength(4);
  });

  it.each([
    ["a request", new ApiError("POST", 403, "Permission check failed"), ["OK"]],
    ["a task", upid, ["start failed: QEMU exited with code 1"]],
  ])("is not tried again when PVE refuses it: %s", async (_what, sent, tasks) => {
    const { run, events } = having([sent], { tasks });
    await expect(run()).rejects.toThrow(sent instanceof Error ? ApiError : TaskError);
    expect(events.filter((event) => event === "send")).toHaveLength(1);
  });
});
