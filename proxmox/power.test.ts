import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError, ConnectionError } from "./errors.ts";
import { fakeClient, inTurn } from "./fakeClient.ts";
import { rebootVm, requestStart, shutDownVm, startVm } from "./power.ts";

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
const missing = new ApiError("GET", 500, "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist");
const dropped = new ConnectionError("dropped", "the connection broke off");

interface Answers {
  /** What each look at the VM's status gives, the last for ever. */
  status?: ("running" | "stopped" | number | Error)[];
  /** What PVE says to each action: the type of the task that begins, or an error. */
  action?: (string | Error)[];
  /** How each task ends. */
  task?: string[];
  log?: string[];
}

function pve({ status = ["stopped"], action = ["qmstart"], task = ["OK"], log = [] }: Answers) {
  const [statuses, actions, tasks] = [inTurn(...status), inTurn<string | Error>(...action), inTurn(...task)];
  return fakeClient((call) => {
    if (call.endsWith("/status/current")) {
      const now = statuses();
      // A number is the uptime of a VM that runs.
      return typeof now === "number"
        ? { status: "running", uptime: now }
        : now instanceof Error
          ? now
          : { status: now };
    }
    if (call.startsWith("POST")) {
      const answer = actions();
      return answer instanceof Error ? answer : `UPID:pve1:1:2:3:${answer}:9101:a@pve:`;
    }
    if (call.endsWith("/log")) return log.map((t, n) => ({ n, t }));
    if (call.endsWith("/tasks")) return [];
    return { status: "stopped", exitstatus: tasks() };
  });
}

async function settled<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  await vi.runAllTimersAsync();
  return work;
}
const actionsIn = (asked: string[]) => asked.filter((call) => call.startsWith("POST"));

describe("a VM is started", () => {
  it("and its task waited for; what PVE warns of is given back", async () => {
    const warning = "WARN: no efidisk configured! Using temporary efivars disk.";
    const { client, asked } = pve({ task: ["WARNINGS: 1"], log: ["start VM 9101", warning] });
    expect(await settled(startVm(client, VM))).toEqual([warning]);
    expect(asked[0]).toBe("POST /nodes/pve1/qemu/9101/status/start");
    // Of a VM that HA does not manage, the task tells enough.
    expect(asked.filter((call) => call.endsWith("/status/current"))).toEqual([]);
  });

  it("though it runs already", async () => {
    const { client } = pve({ task: ["VM 9101 already running"] });
    expect(await settled(startVm(client, VM))).toEqual([]);
  });

  it("once, when it runs although the answer got lost", async () => {
    const { client, asked } = pve({ action: [dropped], status: ["running"] });
    await settled(startVm(client, VM));
    expect(actionsIn(asked)).toHaveLength(1);
  });

  it("again, when it was locked or the answer got lost and it does not run", async () => {
    const locked = pve({ task: ["can't lock file '/var/lock/qemu-server/lock-9101.conf' - got timeout", "OK"] });
    await settled(startVm(locked.client, VM));
    expect(actionsIn(locked.asked)).toHaveLength(2);
    const lost = pve({ action: [dropped, "qmstart"] });
    await settled(startVm(lost.client, VM));
    expect(actionsIn(lost.asked)).toHaveLength(2);
  });

  it("by the HA manager, which only notes the request: the VM itself is waited for", async () => {
    const { client, asked } = pve({ action: ["hastart"], status: ["stopped", "stopped", "running"] });
    await settled(startVm(client, VM));
    expect(asked.filter((call) => call.endsWith("/status/current"))).toHaveLength(3);
  });

  it("or it is told that the HA manager did not", async () => {
    const { client } = pve({ action: ["hastart"], status: ["stopped"] });
    await expect(settled(startVm(client, VM))).rejects.toThrow(
      "the HA manager was asked, but VM 9101 was not running within 180 s; see `ha-manager status`",
    );
  });

  it("without waiting, where nobody wants to know", async () => {
    const { client, asked } = pve({ action: [dropped, "qmstart"] });
    await settled(requestStart(client, VM));
    expect(asked).toEqual(Array(2).fill("POST /nodes/pve1/qemu/9101/status/start"));
  });
});

describe("a VM is shut down", () => {
  it("in the time that its guest has, and then stopped by PVE", async () => {
    const { client, asked } = pve({ status: ["running"], action: ["qmshutdown"] });
    const began: string[] = [];
    await settled(shutDownVm(client, VM, 60, { onBegin: () => began.push("begun") }));
    expect(actionsIn(asked)).toEqual(['POST /nodes/pve1/qemu/9101/status/shutdown {"timeout":60,"forceStop":true}']);
    expect(began).toEqual(["begun"]);
  });

  it("at once where its guest has no time", async () => {
    const { client, asked } = pve({ status: ["running"], action: ["qmstop"] });
    await settled(shutDownVm(client, VM, 0));
    expect(actionsIn(asked)).toEqual(["POST /nodes/pve1/qemu/9101/status/stop"]);
  });

  it("only if it runs; one that is gone is fine", async () => {
    for (const status of ["stopped", missing] as const) {
      const { client, asked } = pve({ status: [status] });
      await settled(shutDownVm(client, VM, 60));
      expect(actionsIn(asked)).toEqual([]);
    }
  });

  it("once, when it is off although the answer got lost", async () => {
    const { client, asked } = pve({ status: ["running", "stopped"], action: [dropped] });
    await settled(shutDownVm(client, VM, 60));
    expect(actionsIn(asked)).toHaveLength(1);
  });

  it("by the HA manager, which takes a while after its task has ended", async () => {
    const { client, asked } = pve({ status: ["running", "running", "running", "stopped"], action: ["hastop"] });
    await settled(shutDownVm(client, VM, 60));
    expect(asked.filter((call) => call.endsWith("/status/current"))).toHaveLength(4);
    const never = pve({ status: ["running"], action: ["hastop"] });
    await expect(settled(shutDownVm(never.client, VM, 60))).rejects.toThrow("was not stopped within 240 s");
  });
});

describe("a guest is rebooted", () => {
  it("when PVE has shut it down and a service of PVE has started it again", async () => {
    const { client, asked } = pve({ status: [3600, "stopped", "running"], action: ["qmreboot"] });
    expect(await settled(rebootVm(client, VM, 60))).toBeUndefined();
    expect(actionsIn(asked)).toEqual(['POST /nodes/pve1/qemu/9101/status/reboot {"timeout":60}']);
  });

  it("once, when its uptime shows that the request was carried out although the answer got lost", async () => {
    const { client, asked } = pve({ status: [3600, 5], action: [dropped] });
    expect(await settled(rebootVm(client, VM, 60))).toBeUndefined();
    expect(actionsIn(asked)).toHaveLength(1);
  });

  it("not if it does not shut down in time: it is asked once, and why not is given back", async () => {
    const text = "VM quit/powerdown failed - got timeout";
    const { client, asked } = pve({ status: [3600], action: ["qmreboot"], task: [text] });
    expect(await settled(rebootVm(client, VM, 60))).toBe(text);
    expect(actionsIn(asked)).toHaveLength(1);
  });

  it("or it is told that PVE did not start it again", async () => {
    const { client } = pve({ status: [3600, "stopped"], action: ["qmreboot"] });
    await expect(settled(rebootVm(client, VM, 60))).rejects.toThrow("PVE did not start VM 9101 again within 60 s");
  });
});
