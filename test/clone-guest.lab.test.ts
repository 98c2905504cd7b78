import { describe, expect, it } from "vitest";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import { CICUSTOM, diff, inputs, lab, made, read, TEMPLATE, update, useCloneLab, vm, warned } from "./cloneLab.ts";

/** What a guest that has booted has of its config, and when. */

useCloneLab();

/** A clone as this version makes it: with an instance-id that stays. */
const own = (change: Partial<CloneInputs> = {}) =>
  inputs(1, { places: [{ node: "pve1", sourceVmId: 9000, cicustom: CICUSTOM }], ...change });
const moved = { ipConfigs: ["ip=10.0.0.99/24,gw=10.0.0.1"] };
const guest = async () => (await vm())?.guest;

describe("another address for a guest that runs", () => {
  it("is not said to be there before the guest has it, also after a refresh", async () => {
    const state = await made(own());
    const waiting = await update(state, own(moved));
    expect(waiting).toMatchObject({ status: "ready", address: "10.0.0.21", pendingReboot: ["ipconfig0"] });
    expect((await guest())?.ipconfigs).toEqual({ ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1" });
    expect((await read(waiting))?.outs).toEqual(waiting);
    expect(warned[0]).toMatch(/^web-1 runs with its old ipconfig0 until PVE starts it next: set rebootOnChange/);
  });

  it("is there after `qm reboot`, and the next refresh, and the next up, say so", async () => {
    const waiting = await update(await made(own()), own(moved));
    await lab.control.power(9101, "stopped");
    await lab.control.power(9101, "running");
    expect((await guest())?.ipconfigs).toEqual({ ipconfig0: moved.ipConfigs[0] });
    const refreshed = (await read(waiting))?.outs;
    expect(refreshed).toMatchObject({ status: "ready", address: "10.0.0.99" });
    expect(refreshed).not.toHaveProperty("pendingReboot");
    expect(refreshed).not.toHaveProperty("booted");
    expect(await diff(waiting, own(moved))).toMatchObject({
      changes: true,
      replaces: [],
      reasons: [{ effect: "pending", detail: "old ipconfig0" }],
    });
    expect(await update(waiting, own(moved))).toEqual(refreshed);
  });

  it("is not there after a reboot from inside the guest", async () => {
    const waiting = await update(await made(own()), own(moved));
    await lab.control.guestReboot(9101);
    expect((await read(waiting))?.outs).toMatchObject({ address: "10.0.0.21", pendingReboot: ["ipconfig0"] });
  });

  it("is brought by rebootOnChange, as the instance that the guest is: nothing of the first boot is done again", async () => {
    const state = await made(own());
    const before = await guest();
    const rebooted = await update(state, own({ ...moved, rebootOnChange: true }));
    expect(rebooted).toMatchObject({ status: "ready", address: "10.0.0.99" });
    expect(rebooted).not.toHaveProperty("pendingReboot");
    expect(await guest()).toMatchObject({
      instanceId: before?.instanceId,
      instances: 1,
      ipconfigs: { ipconfig0: moved.ipConfigs[0] },
    });
  });

  it("and then a third one before the reboot: the guest's is the first", async () => {
    const waiting = await update(await made(own()), own(moved));
    const third = await update(waiting, own({ ipConfigs: ["ip=10.0.0.77/24,gw=10.0.0.1"] }));
    expect(third).toMatchObject({ address: "10.0.0.21", pendingReboot: ["ipconfig0"] });
    const back = await update(third, own());
    expect(back).toMatchObject({ address: "10.0.0.21" });
    expect(back).not.toHaveProperty("pendingReboot");
  });

  it("and then a third one after the reboot: the guest's is the second", async () => {
    const waiting = await update(await made(own()), own(moved));
    await lab.control.power(9101, "stopped");
    await lab.control.power(9101, "running");
    const third = await update(waiting, own({ ipConfigs: ["ip=10.0.0.77/24,gw=10.0.0.1"] }));
    expect(third).toMatchObject({ address: "10.0.0.99", pendingReboot: ["ipconfig0"] });
  });

  it("comes as a new instance to a clone of an earlier version: preview and warning say what that means", async () => {
    const state = await made();
    await lab.control.patchConfig(9101, { set: { cicustom: TEMPLATE.cicustom ?? "" } });
    const detail = expect.stringMatching(/^addresses at the next start .* as a new cloud-init instance/);
    expect((await diff(state, inputs(1, moved))).reasons).toEqual([{ effect: "informed", detail }]);
    const waiting = await update(state, inputs(1, moved));
    expect(warned.at(-1)).toMatch(/runs with its old ipconfig0 until PVE starts it next, as a new cloud-init instance/);
    await lab.control.power(9101, "stopped");
    await lab.control.power(9101, "running");
    expect((await read(waiting))?.outs).toMatchObject({ address: "10.0.0.99" });
    expect((await guest())?.instances).toBe(2);
  });
});

it("name servers and host name of a running guest wait for its next start by PVE, and are named", async () => {
  const state = await made(own());
  const waiting = await update(state, own({ nameservers: ["10.0.0.2"], hostname: "app.example.net" }));
  expect(waiting.pendingReboot).toEqual(["hostname", "nameserver"]);
  expect(await guest()).toMatchObject({ nameserver: "10.0.0.1", name: "web-1.example.net" });
});

it("a change that needs no reboot leaves a guest of an earlier version without one", async () => {
  const state = await made();
  const smbios1 = String((await vm())?.config.smbios1);
  const [, uuid] = /uuid=([^,]+)/.exec(smbios1) ?? [];
  const serial = Buffer.from("ds=nocloud;dsmode=net;h=web-1.example.net").toString("base64");
  await lab.control.patchConfig(9101, { set: { smbios1: `uuid=${uuid},base64=1,serial=${serial}` } });
  const { booted: _, ...old } = state;
  const next = await update(old, inputs(1, { tags: ["other"] }));
  expect(next).not.toHaveProperty("pendingReboot");
  expect(warned).toEqual([]);
});

describe("a clone that is waited for", () => {
  const waits = (change: Partial<CloneInputs> = {}) => own({ waitFor: "agent", readyTimeoutSeconds: 1, ...change });

  it("and got ready after its time was over is ready for the next refresh, and for the next up", async () => {
    await lab.control.guest("new", { agentAfter: "never" });
    const late = await made(waits());
    expect(late).toMatchObject({ status: "running", error: expect.stringContaining("guest agent") });
    const address = { "ip-address": "10.0.0.21", "ip-address-type": "ipv4", prefix: 24 };
    const interfaces = [{ name: "eth0", "ip-addresses": [address] }];
    await lab.control.guest(9101, { agentAfter: 0, agent: { "network-get-interfaces": interfaces } });
    expect((await read(late))?.outs).toMatchObject({ status: "ready" });
    expect(await diff(late, waits())).toMatchObject({
      changes: true,
      replaces: [],
      reasons: [{ effect: "awaited", detail: expect.stringContaining("after 1 s its guest agent did not answer") }],
    });
    const ready = await update(late, waits());
    expect(ready).toMatchObject({ status: "ready" });
    expect(ready).not.toHaveProperty("error");
  });
});
