import { describe, expect, it } from "vitest";
import { fakeClone, fakeMade, fakeState, fakeWork } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import type { Readiness } from "../readiness/ready.ts";
import type { CloneState } from "../state.ts";
import { waitUntilReady } from "./waitUntilReady.ts";
import type { Work } from "./work.ts";

const READY: Readiness = { ready: true, addresses: { eth0: ["10.0.0.21"] } };
const running = fakeState({ status: "running" });

async function waiting(
  inputs: Partial<CloneInputs>,
  {
    found = READY,
    state = running,
    before = running,
    started = true,
  }: Partial<Pick<Work, "state" | "started">> & { found?: Readiness; before?: CloneState } = {},
) {
  const asked: object[] = [];
  const work = fakeWork(inputs, { state, started });
  const wait = async (guest: object, options: object) => {
    asked.push({ ...guest, ...options });
    return found;
  };
  await waitUntilReady({ waitUntilReady: wait }, work, before);
  return { asked, state: work.state, messages: work.messages.said };
}

describe("a clone is ready", () => {
  it.each([
    ["started", "ready"],
    ["none", "running"],
  ] as const)("without asking the guest with waitFor %s: %s", async (waitFor, status) => {
    expect(await waiting({ waitFor })).toMatchObject({ asked: [], state: { status } });
  });

  it("when its guest has what waitFor asks for, and the state has what that has told", async () => {
    const { asked, state } = await waiting({ waitFor: "cloud-init", readyTimeoutSeconds: 60 });
    expect(asked).toEqual([
      { node: "pve1", vmId: 9101, name: "web-1", waitFor: "cloud-init", timeoutSeconds: 60, static: true },
    ]);
    expect(state).toMatchObject({ status: "ready", address: "10.0.0.21", addresses: { eth0: ["10.0.0.21"] } });
  });

  it("by an address that DHCP has given it", async () => {
    const found = { ready: true, addresses: { eth0: ["10.0.0.77"] } };
    const { asked, state } = await waiting({ waitFor: "agent", ipConfigs: ["ip=dhcp"] }, { found });
    expect(asked).toMatchObject([{ static: false, timeoutSeconds: 300 }]);
    expect(state.address).toBe("10.0.0.77");
  });

  const byAgent = { addressByAgent: true, ipConfigs: ["ip=dhcp"] };

  it("by the address that only its agent knows, where the config says nothing of waitFor", async () => {
    const found = { ready: true, addresses: { eth0: ["10.0.0.77"] } };
    const { asked, state } = await waiting(byAgent, { found });
    expect(asked).toMatchObject([{ waitFor: "agent", static: false }]);
    expect(state).toMatchObject({ status: "ready", address: "10.0.0.77" });
    expect(await waiting({ ...byAgent, waitFor: "started" })).toMatchObject({ asked: [], state: { status: "ready" } });
  });

  it("when it runs, where nobody has asked for an agent and none can be asked", async () => {
    const found = { ready: false, reason: "PVE does not let this login ask", cannotTell: true } as const;
    const quiet = await waiting(byAgent, { found });
    expect(quiet).toMatchObject({ state: { status: "ready" }, messages: [] });
    expect(quiet.state).not.toHaveProperty("error");
    const asked = await waiting({ ...byAgent, waitFor: "agent" }, { found });
    expect(asked).toMatchObject({ state: { status: "running", error: found.reason } });
  });

  it("without asking an agent that its own template did not install", async () => {
    const state = { ...running, made: fakeMade({ template: "older" }) };
    expect(await waiting(byAgent, { state })).toMatchObject({ asked: [], state: { status: "ready" } });
  });

  it("as it was, when it was made before such clones were asked by default, and is changed now", async () => {
    const before = fakeState({ spec: fakeClone({ ipConfigs: ["ip=dhcp"] }) });
    expect(await waiting(byAgent, { before, started: false })).toMatchObject({ asked: [], state: { status: "ready" } });
  });

  it("by the address that it was started with, while its config says another one", async () => {
    const state = { ...running, booted: { ipConfigs: ["ip=10.0.0.21/24"] } };
    const found = { ready: true, addresses: { eth0: ["10.0.0.99", "10.0.0.21"] } };
    const told = await waiting({ waitFor: "agent", ipConfigs: ["ip=10.0.0.99/24"] }, { state, found });
    expect(told.state.address).toBe("10.0.0.21");
  });

  it("still, where it was before and nobody has started it since: it is not asked again", async () => {
    const ready = fakeState({ spec: fakeClone({ waitFor: "agent" }) });
    const known = { state: ready, before: ready, started: false };
    expect(await waiting({ waitFor: "agent" }, known)).toMatchObject({ asked: [], state: { status: "ready" } });
    expect((await waiting({ waitFor: "agent" }, { ...known, started: true })).asked).toHaveLength(1);
    expect((await waiting({ waitFor: "cloud-init" }, known)).asked).toHaveLength(1);
  });
});

describe("a clone is not ready", () => {
  const found = { ready: false, addresses: { eth0: ["10.0.0.21"] }, reason: "cloud-init ended with errors" };

  it("and runs on: the reason is told and kept, and what was found out", async () => {
    const { state, messages } = await waiting({ waitFor: "cloud-init" }, { found });
    expect(state).toMatchObject({ status: "running", error: found.reason, addresses: found.addresses });
    expect(messages).toEqual(["warn: web-1 is not ready: cloud-init ended with errors"]);
  });

  it("any more for the reason that it had, once it is ready", async () => {
    const unready = { ...running, error: "after 300 s its guest agent did not answer" };
    const { state } = await waiting({ waitFor: "agent" }, { state: unready, before: unready, started: false });
    expect(state.status).toBe("ready");
    expect(state).not.toHaveProperty("error");
  });

  it("when it is off, and it is not asked", async () => {
    const off = fakeState({ status: "stopped" });
    expect(await waiting({ waitFor: "agent" }, { state: off })).toMatchObject({
      asked: [],
      state: { status: "stopped" },
    });
  });
});
