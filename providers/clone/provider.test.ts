import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Cluster } from "../../config/cluster.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import { setRun } from "../run/connect.ts";
import { Run } from "../run/run.ts";
import { SetsProgress } from "../run/setProgress.ts";
import { fakeClone, fakeState } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";
import { provider } from "./provider.ts";
import type { Successor } from "./remove.ts";
import type { CloneState } from "./state.ts";

/** What was done to VMs: made or changed, looked at, deleted. */
let done: string[];
/** What becomes of a clone that is worked on. */
let becomes: (inputs: CloneInputs, before?: CloneState) => CloneState;
let seen: CloneState | undefined;
let protects: boolean;
let said: string[];

vi.mock("./converge.ts", () => ({
  converge: async (_run: Run, inputs: CloneInputs, _says: unknown, before?: CloneState) => {
    done.push(`${before ? "change" : "make"} ${inputs.vmId}`);
    return becomes(inputs, before);
  },
}));
vi.mock("./look.ts", () => ({ look: async () => seen }));
vi.mock("./remove.ts", () => ({
  remove: async (_run: Run, { spec }: CloneState, _says: unknown, successor?: Successor) => {
    if (protects) throw new Error(`VM ${spec.vmId} is protected`);
    done.push(`delete ${spec.vmId}${successor ? `, keep ${successor.next.disks?.map(({ drive }) => drive)}` : ""}`);
  },
  removeHolder: async (_run: Run, { spec }: CloneState) => done.push(`delete the holder of ${spec.vmId}`),
}));
vi.mock("../dynamic/progress.ts", () => ({
  messagesOf: (urn: string) => ({ report: (text: string) => said.push(`${urn.split("::").at(-1)}: ${text}`) }),
}));

const config = { get: () => undefined };
const limits = { clonesPerTemplate: 4, clonesPerDatastore: 4 };
let run: Run;

beforeEach(() => {
  done = [];

  protects = false;
  said = [];
  seen = fakeState();
  becomes = (spec) => fakeState({ spec });
  run = new Run(fakeClient(() => []).client, { limits } as Cluster, { quietMs: 1 });
  setRun(config, run);
});

const diff = (state: CloneState, change: Partial<CloneInputs> = {}) =>
  provider.diff(config, "9101", state, fakeClone(change));
const update = (state: CloneState, change: Partial<CloneInputs>) =>
  provider.update(config, "9101", state, fakeClone(change));
const remove = (state: CloneState) => provider.delete(config, String(state.spec.vmId), state);

describe("the config of a clone", () => {
  const check = (olds: Partial<CloneInputs>, news: Partial<CloneInputs>) =>
    provider.check?.(config, fakeClone(olds), fakeClone(news));

  it("stays in the state as it was brought to the clone, while that is kept as it is", async () => {
    const kept = await check({ diskGiB: 40, name: "web-1" }, { diskGiB: 30, name: "db-1", keep: true });
    expect(kept?.failures).toBeUndefined();
    expect(kept?.inputs).toMatchObject({ diskGiB: 40, name: "web-1", keep: true });
    const back = await check(kept?.inputs ?? {}, { diskGiB: 30, name: "db-1" });
    expect(back?.failures).toHaveLength(1);
  });

  it("lacks what a run leaves out that was never made", () => {
    expect(provider.missing?.(fakeClone())).toEqual([]);
    const places = [{ node: "pve1" }] as CloneInputs["places"];
    expect(provider.missing?.({ ...fakeClone({ places }), fleetId: "" })).toEqual(["preflight", "its template"]);
  });

  it("is refused at preview when its disk were to shrink", async () => {
    const reason = "the disk of web-1 has 40 GiB, and PVE cannot shrink disks; expected at least that, found 20";
    expect(await check({ diskGiB: 40 }, { diskGiB: 20 })).toMatchObject({
      failures: [{ property: "diskGiB", reason }],
    });
  });

  it("is refused at preview when a disk of its own were to shrink", async () => {
    const disks = (sizeGiB: number) => [{ drive: "scsi1", datastore: "local-lvm", sizeGiB, options: "" }];
    expect(await check({ disks: disks(8) }, { disks: disks(7) })).toMatchObject({
      failures: [{ property: "disks", reason: expect.stringMatching(/^disk scsi1 of web-1 has 8 GiB.*found 7$/) }],
    });
    expect(await check({ disks: disks(8) }, { disks: disks(7), vmId: 9102 })).not.toHaveProperty("failures");
  });

  it.each<[Partial<CloneInputs>, Partial<CloneInputs>]>([
    [{ diskGiB: 20 }, { diskGiB: 40 }],
    [{ diskGiB: 40 }, {}],
    [{ diskGiB: 40 }, { diskGiB: 20, vmId: 9102 }],
  ])("is taken as it is otherwise: %j to %j", async (olds, news) => {
    expect(await check(olds, news)).toEqual({ inputs: fakeClone(news) });
  });
});

it("a set that takes long says now and then how far it is: of those that are made, changed, or stay", async () => {
  let now = 0;
  Object.assign(run, { progress: new SetsProgress(() => now) });
  becomes = (spec) => {
    now += 12_000;
    return fakeState({ spec });
  };
  for (const vmId of [9102, 9103]) await provider.check?.(config, {}, fakeClone({ vmId }));
  await diff(fakeState(), { cores: 8 });
  await diff(fakeState({ spec: fakeClone({ vmId: 9104 }) }), { vmId: 9104 });
  await update(fakeState(), { cores: 8 });
  for (const vmId of [9102, 9103]) await provider.create(config, fakeClone({ vmId }));
  expect(said).toEqual([
    "web: 2 of 4 ready, 1 at a time, about 25 s",
    "web: 3 of 4 ready, 1 at a time, about 10 s",
    "web: 4 of 4 ready",
  ]);
});

describe("an update", () => {
  it("is done where the VM has to be asked", async () => {
    expect(await update(fakeState(), { cores: 8 })).toMatchObject({ spec: { cores: 8 } });
    expect(done).toEqual(["change 9101"]);
  });

  it("is done for a clone that was not ready, and is not waited for any more: it is ready now", async () => {
    const unready = fakeState({ status: "running", error: "no agent", spec: fakeClone({ waitFor: "agent" }) });
    expect(await update(unready, {})).toMatchObject({ status: "ready" });
    expect(done).toEqual(["change 9101"]);
  });

  it("of how a clone is treated is only noted, so that a deletion knows", async () => {
    const state = await update(fakeState(), { shutdownSeconds: 5, start: false, waitFor: "none" });
    expect(state).toEqual(fakeState({ spec: fakeClone({ shutdownSeconds: 5, start: false, waitFor: "none" }) }));
    expect((await update(state, {})).spec).toEqual(fakeClone());
    expect(done).toEqual([]);
  });

  it("of what is waited for asks the guest: it may not be ready for that", async () => {
    await update(fakeState(), { waitFor: "agent" });
    expect(done).toEqual(["change 9101"]);
  });

  it("starts a clone that is stopped and is to run now", async () => {
    await update(fakeState({ spec: fakeClone({ start: false }), status: "stopped" }), {});
    expect(done).toEqual(["change 9101"]);
  });
});

describe("a refresh", () => {
  const read = () => provider.read(config, "9101", fakeState());

  it("takes a clone out of the state whose VM is gone", async () => {
    seen = undefined;
    expect(await read()).toBeUndefined();
  });

  it("gives what was seen, also as what the config is compared with", async () => {
    seen = fakeState({ spec: fakeClone({ cores: 2 }), status: "stopped" });
    expect(await read()).toEqual({ outs: seen, inputs: fakeClone({ cores: 2, start: false }) });
  });
});

describe("a deletion", () => {
  it("deletes the VM", async () => {
    await remove(fakeState());
    expect(done).toEqual(["delete 9101"]);
  });

  it("leaves a VM alone that another resource of the run has taken over: its set has another name", async () => {
    await provider.create(config, fakeClone({ set: "app" }));
    await remove(fakeState());
    expect(done).toEqual(["make 9101"]);
  });

  const disks = [{ drive: "scsi1", datastore: "local-lvm", sizeGiB: 8, options: "" }];
  const withDisks = fakeState({ spec: fakeClone({ disks, keepDisks: true }) });

  it("of a clone that keeps its disks looks for those that wait for it, too", async () => {
    await remove(withDisks);
    expect(done).toEqual(["delete 9101", "delete the holder of 9101"]);
  });

  it.each([
    ["is made anew", { disks, keepDisks: true as const, full: true }],
    ["the user has told the engine to replace", { disks, keepDisks: true as const }],
  ])("keeps the disks of a clone that %s, as the config says now and not as it said before", async (_why, change) => {
    await diff(fakeState({ spec: fakeClone({ disks }) }), change);
    await remove(fakeState({ spec: fakeClone({ disks }) }));
    expect(done).toEqual(["delete 9101, keep scsi1"]);
  });

  it("does not keep them when the config has just said that they go", async () => {
    await diff(withDisks, { disks, full: true });
    await remove(withDisks);
    expect(done).toEqual(["delete 9101"]);
  });

  it("deletes a VM that the user has told the engine to replace, although nothing has changed", async () => {
    await diff(fakeState(), {});
    await remove(fakeState());
    expect(done).toEqual(["delete 9101"]);
  });
});

describe("clones that are made anew", () => {
  const full = { full: true };
  const states = [9101, 9102, 9103].map((vmId) =>
    // Stack and set have had other names when these were written.
    fakeState({ spec: fakeClone({ vmId, name: `web-${vmId}`, stack: "organization/golden/old", set: "old" }) }),
  );
  const inputs = (vmId: number) => fakeClone({ vmId, ...full });

  it("go one after the other, though stack and set have other names than when they were made", async () => {
    for (const state of states) await provider.diff(config, "", state, inputs(state.spec.vmId));
    const deletions = states.map(remove);
    await deletions[0];
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual(["delete 9101"]);
    run.rollouts.of(9101).healthy(9101);
    await deletions[1];
    expect(done).toEqual(["delete 9101", "delete 9102"]);
    run.rollouts.of(9102).unhealthy(9102, "not ready in time");
    await expect(deletions[2]).rejects.toThrow(
      /^could not replace web-9103 \(node pve1, VM 9103\)\n.*not healthy VM 9102 \(not ready in time\)/,
    );
    expect(done).not.toContain("delete 9103");
  });

  it("stop when one of them could not be deleted", async () => {
    for (const state of states) await provider.diff(config, "", state, inputs(state.spec.vmId));
    protects = true;
    const [first, second] = await Promise.allSettled(states.slice(0, 2).map(remove));
    expect(first).toMatchObject({ reason: { message: "VM 9101 is protected" } });
    expect(second).toMatchObject({
      reason: { message: expect.stringContaining("not healthy VM 9101 (it could not be deleted)") },
    });
  });
});
