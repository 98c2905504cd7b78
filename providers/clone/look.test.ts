import { describe, expect, it } from "vitest";
import type { Cluster } from "../../config/cluster.ts";
import { networkRevision } from "../../fleet/cloudInit/networkRevision.ts";
import { withSerial } from "../../fleet/cloudInit/smbios.ts";
import { smbiosSerial } from "../../fleet/cloudInit/smbiosSerial.ts";
import { ApiError } from "../../proxmox/errors.ts";
import { fakeClient } from "../../proxmox/fakeClient.ts";
import type { GuestConfig } from "../../proxmox/guests.ts";
import type { PendingOption } from "../../proxmox/pendingOptions.ts";
import { Run } from "../run/run.ts";
import { fakeClone, fakeMade, fakeMessages, fakeState, UUID } from "./fakeClone.ts";
import type { CloneInputs } from "./inputs.ts";
import { look } from "./look.ts";
import { options } from "./options.ts";
import type { CloneState } from "./state.ts";

/** A clone's config as PVE has it. */
function configured(inputs = fakeClone(), change: GuestConfig = {}): GuestConfig {
  const set = options(inputs, { config: { smbios1: `uuid=${UUID}` }, made: fakeMade(), spec: {} });
  return { ...(set as GuestConfig), onboot: inputs.onBoot ? 1 : 0, scsi0: "local-lvm:vm-9101-disk-0", ...change };
}

interface Guest {
  /** undefined: it is gone. */
  config?: GuestConfig | undefined;
  node?: string;
  /** Its node does not answer. */
  off?: boolean;
  status?: "running" | "stopped";
  pool?: string;
  pending?: PendingOption[];
  /** What its agent tells. */
  address?: string;
}

async function looking(before: CloneState, guest: Guest = {}) {
  const { config = configured(), node = "pve1", off, status = "running", pool, pending = [], address } = guest;
  const isGone = "config" in guest && guest.config === undefined;
  const { client, asked } = fakeClient((call) => {
    if (call.startsWith("GET /cluster/resources"))
      return isGone ? [] : [{ vmid: 9101, node, type: "qemu", name: config.name, ...(pool && { pool }) }];
    if (off) return new ApiError("GET", 595, "No route to host");
    if (call.split("/")[2] !== node || isGone)
      return new ApiError("GET", 500, "Configuration file 'nodes/pve1/qemu-server/9101.conf' does not exist");
    if (call.endsWith("/qemu")) return [{ vmid: 9101, status }];
    if (call.endsWith("/config")) return config;
    if (call.endsWith("/pending")) return pending;
    if (call.endsWith("/cloudinit")) return [];
    if (address === undefined) return new ApiError("GET", 403, "Permission check failed");
    return { result: [{ name: "eth0", "ip-addresses": [{ "ip-address": address }] }] };
  });
  const messages = fakeMessages();
  const limits = { clonesPerTemplate: 4, clonesPerDatastore: 4 };
  const state = await look(new Run(client, { limits } as Cluster), before, messages);
  return { state, asked, messages: messages.said };
}

const news = fakeClone({ ipConfigs: ["ip=10.0.0.99/24,gw=10.0.0.1"] });
const smbios = (inputs: CloneInputs) =>
  withSerial(`uuid=${UUID}`, smbiosSerial(inputs.hostname, { network: networkRevision(inputs) }));
const readdressed = [{ key: "smbios1", value: smbios(fakeClone()), pending: smbios(news) }];

describe("a look at a clone", () => {
  it("finds nothing new of one that is as it was, by two requests", async () => {
    const { state, asked } = await looking(fakeState());
    expect(state).toEqual(fakeState());
    expect(asked).toEqual(["GET /nodes/pve1/qemu/9101/config", "GET /nodes/pve1/qemu"]);
  });

  it("finds what people have changed, and where it is", async () => {
    const config = configured(fakeClone(), { cores: 4, name: "db-1", scsi0: "ceph:vm-9101-disk-0" });
    const before = fakeState({ spec: fakeClone({ full: true, cores: 2 }), made: fakeMade({ full: true }) });
    expect((await looking(before, { config, node: "pve2" })).state).toMatchObject({
      node: "pve2",
      spec: { cores: 4, name: "db-1" },
      made: { datastore: "ceph" },
    });
  });

  it("finds the pool that it is in, where the config has one", async () => {
    const before = fakeState({ spec: fakeClone({ pool: "web" }) });
    expect((await looking(before, { pool: "other" })).state?.spec.pool).toBe("other");
    expect((await looking(before)).state?.spec).not.toHaveProperty("pool");
  });

  it("finds a clone that has lost its notes, and that they are gone", async () => {
    const { description: _, ...config } = configured();
    expect((await looking(fakeState(), { config })).state?.spec.set).toBe("");
  });

  it("finds the clone of a set that has another name, which is then its mark's to get", async () => {
    const { state } = await looking(fakeState({ spec: fakeClone({ set: "app" }) }));
    expect(state?.spec.set).toBe("");
  });

  it("does not find one that is gone, or whose VMID somebody else has", async () => {
    expect((await looking(fakeState(), { config: undefined })).state).toBeUndefined();
    expect((await looking(fakeState(), { config: { name: "mail" } })).state).toBeUndefined();
  });

  it("leaves one as it was whose node does not answer, and says so", async () => {
    const { state, messages } = await looking(fakeState(), { off: true });
    expect(state).toEqual(fakeState());
    expect(messages).toEqual([
      "warn: node pve1 does not answer, so VM 9101 could not be looked at: the state keeps what was last seen",
    ]);
  });

  it("leaves one that was never made to the next run, while a clone task has left something there", async () => {
    const { made: _, node: _n, ...never } = fakeState({ status: "failed", error: "the worker was killed" });
    const { state } = await looking(never, { config: { lock: "clone" } });
    expect(state).toEqual(never);
    expect((await looking(fakeState(), { config: { lock: "clone" } })).state).toBeUndefined();
  });
});

describe("a guest that is off", () => {
  it("has no agent and waits for nothing; its address is what it will be started with", async () => {
    const before = fakeState({
      spec: news,
      pendingReboot: ["ipconfig0"],
      booted: { ipConfigs: fakeClone().ipConfigs },
      addresses: { eth0: ["10.0.0.21"] },
    });
    const { state } = await looking(before, { config: configured(news), status: "stopped" });
    expect(state).toEqual(fakeState({ spec: news, status: "stopped", address: "10.0.0.99" }));
  });

  it("is still one that has failed, and why", async () => {
    const failed = fakeState({ status: "failed", error: "could not start web-1" });
    expect((await looking(failed, { status: "stopped" })).state).toMatchObject({
      status: "failed",
      error: "could not start web-1",
    });
  });

  it("runs again when somebody has started it", async () => {
    expect((await looking(fakeState({ status: "stopped" }))).state?.status).toBe("running");
  });
});

describe("a guest that waits for a reboot", () => {
  const { ipConfigs, nameservers } = fakeClone();
  const booted = { ipConfigs, nameservers, searchDomain: "example.net" };
  const waits = fakeState({ spec: news, pendingReboot: ["ipconfig0"], booted });
  const config = configured(news);

  it("still does, with the address that it has", async () => {
    const { state } = await looking(waits, { config, pending: readdressed });
    expect(state).toMatchObject({ pendingReboot: ["ipconfig0"], address: "10.0.0.21" });
  });

  it("does not any more when PVE has started it, and has its new address", async () => {
    const { state } = await looking(waits, { config });
    for (const key of ["pendingReboot", "booted"]) expect(state).not.toHaveProperty(key);
    expect(state?.address).toBe("10.0.0.99");
  });
});

describe("a guest that was not ready", () => {
  const unready = fakeState({
    spec: fakeClone({ waitFor: "agent" }),
    status: "running",
    error: "after 300 s its guest agent did not answer",
  });

  it("is asked whether it is by now", async () => {
    const { state } = await looking(unready, { address: "10.0.0.21" });
    expect(state).toMatchObject({ status: "ready", addresses: { eth0: ["10.0.0.21"] } });
    expect(state).not.toHaveProperty("error");
  });

  it("is not ready yet when it does not say so, for the reason that was found when it was waited for", async () => {
    expect((await looking(unready)).state).toEqual(unready);
  });

  it("is asked nothing where the config does not wait for it", async () => {
    const { asked } = await looking(fakeState({ status: "running" }), { address: "10.0.0.21" });
    expect(asked.filter((call) => call.includes("/agent"))).toEqual([]);
  });
});
