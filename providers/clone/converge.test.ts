import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Cluster } from "../../config/cluster.ts";
import { ApiError, ConnectionError, TaskError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { Run } from "../run/run.ts";
import type { StepsApi } from "./api.ts";
import { converge } from "./converge.ts";
import { diff } from "./diff.ts";
import { fakeClone, fakeMade, fakeMessages, fakeState, UUID } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";
import { markOf, notesOf } from "./mark.ts";
import type { CloneState } from "./state.ts";

/** What the steps have asked for. */
let asked: string[];
/** What PVE does not do. */
let refused: Map<keyof StepsApi, Error>;
let found: Awaited<ReturnType<StepsApi["lookUp"]>>;
let power: "running" | "stopped";
let ready: Awaited<ReturnType<StepsApi["waitUntilReady"]>>;

vi.mock("./api.ts", () => ({
  stepsApi: () => {
    const call =
      <T>(name: keyof StepsApi, answer: () => T) =>
      async () => {
        asked.push(name);
        const error = refused.get(name);
        if (error) throw error;
        return answer();
      };
    const api: StepsApi = {
      pauseMs: 1,
      freeMemory: call("freeMemory", () => new Map()),
      lookUp: call("lookUp", () => found),
      atRest: call("atRest", () => undefined),
      clone: call("clone", () => "UPID:pve1:1:2:3:qmclone:9000:a@pve:"),
      wait: call("wait", () => undefined),
      migrate: call("migrate", () => undefined),
      intoPool: call("intoPool", () => undefined),
      outOfPool: call("outOfPool", () => undefined),
      moveDisk: call("moveDisk", () => undefined),
      readConfig: call("readConfig", () => ({ scsi0: "local-lvm:vm-9101-disk-0,size=20G" })),
      setOptions: call("setOptions", () => undefined),
      growDisk: call("growDisk", () => undefined),
      findHolder: call("findHolder", () => undefined),
      takeBack: call("takeBack", () => undefined),
      releaseHolder: call("releaseHolder", () => undefined),
      addDisk: call("addDisk", () => undefined),
      deleteDisk: call("deleteDisk", () => undefined),
      readStatus: call("readStatus", () => ({ status: power })),
      pendingOptions: call("pendingOptions", () => []),
      start: call("start", () => []),
      requestStart: call("requestStart", () => undefined),
      reboot: call("reboot", () => undefined),
      waitUntilReady: call("waitUntilReady", () => ready),
      canSnapshot: call("canSnapshot", () => true),
      snapshots: call("snapshots", () => []),
      takeSnapshot: call("takeSnapshot", () => undefined),
      removeSnapshot: call("removeSnapshot", () => undefined),
      giveKeys: call("giveKeys", () => undefined),
    };
    return api;
  },
}));

const limits = { clonesPerTemplate: 4, clonesPerDatastore: 4 };
let run: Run;
let messages: ReturnType<typeof fakeMessages>;

beforeEach(() => {
  asked = [];
  refused = new Map();
  power = "running";
  ready = { ready: true, addresses: { eth0: ["10.0.0.21"] } };
  const description = notesOf(undefined, markOf(fakeClone(), fakeMade()));
  const mark = markOf(fakeClone(), fakeMade());
  const config = { description, smbios1: `uuid=${UUID}` };
  found = { kind: "vm", node: "pve1", config, owner: "ours", mark, busy: undefined };
  run = new Run(fakeClient(() => []).client, { limits } as Cluster);
  messages = fakeMessages();
});

const make = (inputs: Partial<CloneInputs> = {}) => converge(run, fakeClone(inputs), messages);
const update = (before: CloneState, inputs: Partial<CloneInputs>) => converge(run, fakeClone(inputs), messages, before);
/** Whether another clone of the set may go in a rollout. */
async function mayGo(): Promise<boolean> {
  let goes = false;
  run.rollouts
    .enter(9102, "web", 1)
    .enter(9102)
    .then(
      () => {
        goes = true;
      },
      () => undefined,
    );
  await Promise.resolve();
  return goes;
}

describe("a clone", () => {
  it("is made, put into its pool, configured, grown, started and waited for; then it is what its config says", async () => {
    const inputs = { pool: "web", diskGiB: 40, bootDisk: "scsi0", waitFor: "agent" } as const;
    const state = await make(inputs);
    expect(asked).toEqual([...["clone", "wait", "readConfig", "setOptions", "growDisk", "start", "waitUntilReady"]]);
    expect(state).toMatchObject({
      spec: fakeClone(inputs),
      made: { template: "0123456789ab", full: false, datastore: "local-lvm" },
      node: "pve1",
      status: "ready",
      address: "10.0.0.21",
    });
    expect(diff(state, fakeClone(inputs)).changes).toBe(false);
    expect(messages.said.at(-1)).toBe("report: web-1: ready");
  });

  it("is made with few requests where little is asked for", async () => {
    await make();
    expect(asked).toEqual(["clone", "wait", "setOptions", "start"]);
  });

  it("that exists is found, migrated and moved, and gets what is another one", async () => {
    const before = fakeState({ spec: fakeClone({ full: true }), made: fakeMade({ full: true }) });
    const inputs = { full: true, datastore: "hdd", pool: "web", places: [{ node: "pve2", sourceVmId: 9001 }] };
    const state = await update(before, inputs);
    expect(asked).toEqual([
      ...["lookUp", "migrate", "intoPool", "readConfig", "moveDisk", "readConfig", "setOptions", "readStatus"],
      "pendingOptions",
    ]);
    expect(state).toMatchObject({ spec: fakeClone(inputs), node: "pve2", made: { datastore: "hdd" }, status: "ready" });
  });

  it("that stays where it is gets just what is another value", async () => {
    await update(fakeState(), { cores: 8 });
    expect(asked).toEqual(["lookUp", "setOptions", "readStatus", "pendingOptions"]);
  });

  it("has no error of the last run any more when this one went well", async () => {
    const failed = fakeState({ status: "failed", error: "could not configure web-1" });
    expect(await update(failed, {})).not.toHaveProperty("error");
  });
});

describe("a failure is the clone's own: it is told and kept, with what was reached before it", () => {
  const locked = new TaskError("UPID:pve1:1:2:3:qmstart:9101:a@pve:", "VM is locked (backup)", []);
  const denied = new ApiError("PUT", 403, "Permission check failed");

  it("a clone that was not made has nothing", async () => {
    refused.set("clone", denied);
    const { stack, fleetId, vmId, set } = fakeClone();
    expect(await make()).toEqual({
      spec: { stack, fleetId, vmId, set },
      status: "failed",
      error: expect.stringMatching(
        /^could not make web-1, a linked clone of template 9000 \(node pve1, VM 9101, datastore local-lvm\)\n/,
      ),
    });
    expect(messages.said.at(-1)).toMatch(
      /^warn: web-1 failed; the other clones go on, and the next `pulumi up` tries it again\n/,
    );
    expect(await mayGo()).toBe(false);
  });

  it("a clone that could not be configured is made, and not configured", async () => {
    refused.set("setOptions", denied);
    const state = await make({ pool: "web" });
    expect(state).toMatchObject({ node: "pve1", made: { template: "0123456789ab" }, spec: { pool: "web" } });
    expect(state.spec).not.toHaveProperty("name");
    expect(state.error).toMatch(/^could not configure web-1 \(node pve1, VM 9101\)/);
  });

  it("a clone that could not be started is configured", async () => {
    refused.set("start", locked);
    const state = await make();
    const { start: _s, template: _t, full: _f, templateDatastore: _d, ...options } = fakeClone();
    expect(state.spec).toEqual(options);
    expect(diff(state, fakeClone())).toMatchObject({ changes: true, replaces: [] });
  });

  it.each<[keyof StepsApi, Partial<CloneInputs>, Partial<CloneInputs>]>([
    ["migrate", { places: [{ node: "pve2", sourceVmId: 9001 }] }, {}],
    ["intoPool", { pool: "web" }, {}],
    ["setOptions", { cores: 8, name: "db-1", description: "new" }, {}],
    ["setOptions", { pool: "web", nics: [{ vlan: 7 }] }, { pool: "web" }],
    ["growDisk", { diskGiB: 80, bootDisk: "scsi0", cores: 8 }, { cores: 8 }],
  ])("a clone where %s fails has its old values of %j, and the next run tries again", async (call, wanted, reached) => {
    refused.set(call, denied);
    const state = await update(fakeState(), wanted);
    expect(state).toMatchObject({ status: "failed", node: "pve1", made: fakeMade() });
    expect(state.spec).toEqual(fakeClone(reached));
    expect(diff(state, fakeClone(wanted))).toMatchObject({ changes: true, replaces: [] });
    refused.clear();
    asked.length = 0;
    expect(await update(state, wanted)).toMatchObject({ status: "ready", spec: fakeClone(wanted) });
    expect(asked).toContain(call);
  });

  it("a clone that is gone says what to do", async () => {
    found = { kind: "absent" };
    expect((await update(fakeState(), { cores: 8 })).error).toContain("VM 9101 is gone; `pulumi refresh` takes");
  });
});

describe("a rollout", () => {
  it("goes on when a clone is ready, and not when it is not ready in time", async () => {
    await make({ waitFor: "agent" });
    expect(await mayGo()).toBe(true);
    run = new Run(run.client, run.cluster);
    ready = { ready: false, reason: "after 300 s its guest agent did not answer" };
    expect(await make({ waitFor: "agent" })).toMatchObject({ status: "running", error: ready.reason });
    expect(await mayGo()).toBe(false);
  });
});

describe("a failure that is the cluster's", () => {
  const gone = new ConnectionError("refused", "pve1:8006 refused the connection: nothing listens there");

  it("ends the run, and the clone is kept with what is known of it", async () => {
    refused.set("setOptions", gone);
    const error = await make().catch((one) => one);
    expect(error.message).toMatch(/^could not configure web-1/);
    // By the id, the engine knows that there is something to keep.
    expect(error).toMatchObject({ id: "9101", state: { status: "failed", node: "pve1", made: {} } });
  });

  it("is told once; the other clones are not tried", async () => {
    refused.set("setOptions", gone);
    await make().catch(() => undefined);
    asked.length = 0;
    const other = await converge(run, fakeClone({ vmId: 9102, name: "web-2" }), messages);
    expect(asked).toEqual([]);
    expect(other).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/^not tried: could not configure web-1/),
    });
    expect(messages.said.filter((text) => text.startsWith("warn"))).toEqual([]);
  });
});

it("what many clones have in common is a warning of the first of them alone; each state has its own", async () => {
  const failed = (name: string, vmId: number) => {
    const upid = `UPID:pve1:1:2:3:qmstart:${vmId}:a@pve:`;
    refused.set("setOptions", new TaskError(upid, "no space left", [`after ${vmId} s`]));
    return make({ name, vmId });
  };
  const states = [await failed("web-1", 9101), await failed("web-2", 9102)];
  refused.set("setOptions", new TaskError("UPID:pve1:1:2:3:qmstart:9103:a@pve:", "no such bridge", []));
  states.push(await make({ name: "web-3", vmId: 9103 }));
  expect(states.map(({ status }) => status)).toEqual(["failed", "failed", "failed"]);
  expect(states[1]?.error).toContain("web-2");
  const warned = messages.said.filter((text) => text.startsWith("warn: "));
  expect(warned.map((text) => text.split(" ")[1])).toEqual(["web-1", "web-3"]);
});
