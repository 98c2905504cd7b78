import { describe, expect, it } from "vitest";
import { networkRevision } from "../../../fleet/cloudInit/networkRevision.ts";
import { withSerial } from "../../../fleet/cloudInit/smbios.ts";
import { smbiosSerial } from "../../../fleet/cloudInit/smbiosSerial.ts";
import type { PendingOption } from "../../../proxmox/pendingOptions.ts";
import { fakeClone, fakeMade, fakeState, fakeWork, UUID } from "../fakeClone.ts";
import type { CloneInputs } from "../inputs.ts";
import type { CloneState } from "../state.ts";
import { power } from "./power.ts";
import type { Work } from "./work.ts";

interface Guest {
  status?: "running" | "stopped";
  pending?: PendingOption[];
  warnings?: string[];
  /** Why PVE does not reboot it. */
  stays?: string;
  fails?: Error;
}

async function powering(
  inputs: Partial<CloneInputs>,
  { status = "stopped", pending = [], warnings = [], stays, fails }: Guest,
  { before = fakeState(), ...work }: Partial<Pick<Work, "state" | "isNew">> & { before?: CloneState } = {},
) {
  const asked: string[] = [];
  const ask =
    <T>(call: string, answer: T) =>
    async () => {
      asked.push(call);
      if (fails && call !== "status" && call !== "pending") throw fails;
      return answer;
    };
  const doing = fakeWork(inputs, { state: before, ...work });
  const api = {
    readStatus: ask("status", { status }),
    pendingOptions: ask("pending", pending),
    start: ask("start", warnings),
    requestStart: ask("request", undefined),
    reboot: async (_vm: object, seconds: number) => ask(`reboot ${seconds}`, stays)(),
  };
  const error = await power(api, doing, before).catch((one: Error) => one);
  return { asked, error, state: doing.state, started: doing.started, messages: doing.messages.said };
}

describe("a clone that is off", () => {
  it("is started; its guest has what the config says, and has told nothing yet", async () => {
    const before = fakeState({
      status: "stopped",
      spec: fakeClone({ start: false }),
      addresses: { eth0: ["10.0.0.77"] },
      pendingReboot: ["memory"],
      booted: { ipConfigs: ["ip=dhcp"] },
    });
    const { asked, state, started, messages } = await powering(
      {},
      { warnings: ["no efidisk configured!"] },
      { before },
    );
    expect(asked).toEqual(["status", "start"]);
    expect(state).toEqual(fakeState({ status: "running" }));
    expect(started).toBe(true);
    expect(messages).toEqual(["report: starting web-1", "warn: web-1 started with a warning: no efidisk configured!"]);
  });

  it("is started without being asked how it is, when it was made just now", async () => {
    expect((await powering({}, {}, { isNew: true })).asked).toEqual(["start"]);
  });

  it("is started without being waited for with waitFor none", async () => {
    expect((await powering({ waitFor: "none" }, {})).asked).toEqual(["status", "request"]);
  });

  it("stays off where the config does not start it", async () => {
    const { asked, state, started } = await powering({ start: false, ipConfigs: ["ip=dhcp"] }, {});
    expect(asked).toEqual(["status"]);
    expect(state).toMatchObject({ status: "stopped", spec: { start: false } });
    expect(state).not.toHaveProperty("address");
    expect(started).toBe(false);
  });

  it("is as it was for the state when PVE does not start it", async () => {
    const before = fakeState({ status: "stopped", spec: fakeClone({ start: false }) });
    const { state, error } = await powering({}, { fails: new Error("volume does not exist") }, { before });
    expect(error).toBeInstanceOf(Error);
    expect(state).toEqual(before);
  });
});

describe("a clone that runs", () => {
  const running = { status: "running" } as const;
  const news = { ipConfigs: ["ip=10.0.0.99/24,gw=10.0.0.1"] };
  const smbios = (inputs: CloneInputs) =>
    withSerial(`uuid=${UUID}`, smbiosSerial(inputs.hostname, { network: networkRevision(inputs) }));
  const readdressed = [{ key: "smbios1", value: smbios(fakeClone()), pending: smbios(fakeClone(news)) }];
  /** What the steps before have left of it. */
  const configured = (made = fakeMade()) => ({
    before: fakeState({ made }),
    state: fakeState({ made, spec: fakeClone(news) }),
  });

  it("is left alone when nothing waits for its next start, also where the config does not start it", async () => {
    for (const start of [true, false]) {
      const { asked, state, messages } = await powering({ start }, running);
      expect(asked).toEqual(["status", "pending"]);
      expect(state).toEqual(fakeState({ spec: fakeClone({ start }) }));
      expect(messages).toEqual([]);
    }
  });

  it("has its old address until PVE starts it: that is said, and stays its address for everybody", async () => {
    const { state, messages, started } = await powering(news, { ...running, pending: readdressed }, configured());
    expect(state).toMatchObject({
      pendingReboot: ["ipconfig0"],
      booted: { ipConfigs: fakeClone().ipConfigs },
      address: "10.0.0.21",
      status: "ready",
    });
    expect(started).toBe(false);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(
      /^warn: web-1 runs with its old ipconfig0 until PVE starts it next: set rebootOnChange: true/,
    );
    expect(messages[0]).toContain("or run `qm reboot 9101` on pve1");
  });

  it("is told to come back as a new cloud-init instance, where it has no instance-id of its own", async () => {
    const { instanceId: _, ...old } = fakeMade();
    const { messages } = await powering(news, { ...running, pending: readdressed }, configured(old));
    expect(messages[0]).toContain("starts it next, as a new cloud-init instance: packages and runCommands run again");
    const memory = await powering({}, { ...running, pending: [{ key: "memory" }] }, configured(old));
    expect(memory.messages[0]).not.toContain("instance");
  });

  it("is told so for another host name, too, where PVE makes its user-data", async () => {
    const { instanceId: _, ...old } = fakeMade();
    const [runs, gets] = ["web-1", "web-9"].map((name) => withSerial(`uuid=${UUID}`, smbiosSerial(name)));
    const pending = [{ key: "smbios1", value: runs, pending: gets }];
    const { messages } = await powering({}, { ...running, pending }, configured({ ...old, userData: "pve" }));
    expect(messages[0]).toContain("its old hostname until PVE starts it next, as a new cloud-init instance: user,");
    const bySnippet = await powering({}, { ...running, pending }, configured(old));
    expect(bySnippet.messages[0]).not.toContain("instance");
  });

  it("is rebooted where the config says so, and has the new address then", async () => {
    const change = { ...news, rebootOnChange: true, shutdownSeconds: 5 };
    const { asked, state, started } = await powering(change, { ...running, pending: readdressed }, configured());
    expect(asked).toEqual(["status", "pending", "reboot 5"]);
    expect(state).toMatchObject({ status: "running", address: "10.0.0.99" });
    for (const key of ["pendingReboot", "booted"]) expect(state).not.toHaveProperty(key);
    expect(started).toBe(true);
  });

  it("has time to shut down for a reboot, also where clones are stopped at once to be deleted", async () => {
    const change = { rebootOnChange: true, shutdownSeconds: 0 };
    const { asked } = await powering(change, { ...running, pending: [{ key: "memory" }] });
    expect(asked).toContain("reboot 60");
  });

  it("keeps waiting for it when its guest does not shut down", async () => {
    const stays = "VM quit/powerdown failed - got timeout";
    const change = { ...news, rebootOnChange: true };
    const { state, messages, started } = await powering(
      change,
      { ...running, pending: readdressed, stays },
      configured(),
    );
    expect(state).toMatchObject({ pendingReboot: ["ipconfig0"], address: "10.0.0.21" });
    expect(started).toBe(false);
    expect(messages).toContain(`warn: web-1 was not rebooted: ${stays}`);
  });

  it("has nothing to wait for any more once somebody has rebooted it", async () => {
    const before = fakeState({
      spec: fakeClone(news),
      pendingReboot: ["ipconfig0"],
      booted: { ipConfigs: fakeClone().ipConfigs },
    });
    const { state } = await powering(news, running, { before });
    for (const key of ["pendingReboot", "booted"]) expect(state).not.toHaveProperty(key);
    expect(state.address).toBe("10.0.0.99");
  });

  it("keeps the address that its guest agent has told", async () => {
    const told = { addresses: { eth0: ["10.0.0.77"] }, address: "10.0.0.77" };
    expect((await powering({}, running, { before: fakeState(told) })).state).toMatchObject(told);
  });

  it("is not ready yet when it had failed before", async () => {
    const { state } = await powering({}, running, { before: fakeState({ status: "failed" }) });
    expect(state.status).toBe("running");
  });
});
