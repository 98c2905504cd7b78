import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Params } from "./conformance/replay.ts";
import type { HaState, VmState } from "./control.ts";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
const soon = { timeout: 10_000 };
const one = "/nodes/pve1/qemu/700";
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe({ nodes: ["pve1", "pve2", "pve3"] });
  await probe.lab.control.storage("nfs", {
    create: { type: "nfs", path: "/mnt/pve/nfs", server: "10.0.0.9", export: "/srv", content: "images,snippets" },
  });
}, setupMs);

afterAll(() => probe?.close());

afterEach(async () => {
  await probe.lab.control.clearFaults();
  await probe.lab.control.haManaged(700, null);
  await probe.lab.control.deleteVm(700);
});

/** A VM on pve1 that is under HA, as it is. */
async function managed(status: "running" | "stopped", disk = "nfs:700/vm-700-disk-0.qcow2"): Promise<void> {
  await probe.lab.control.addVm({ vmid: 700, status, config: { name: "web-1", scsi0: `${disk},size=1G` } });
  await probe.lab.control.haManaged(700, status === "running" ? "started" : "stopped");
}

const vm = async (): Promise<VmState | undefined> => (await probe.lab.control.vms())["700"];
const ha = async (): Promise<HaState | undefined> => (await probe.lab.control.state()).ha["700"];
const status = (node = "pve1") => probe.get<{ status: string; ha: object }>(`/nodes/${node}/qemu/700/status/current`);
const power = (action: string, params: Params = {}) => probe.run("POST", `${one}/status/${action}`, params);
const resources = "/cluster/ha/resources";

describe("a VM under HA", () => {
  test("says so in its status and in the cluster's list", { timeout: testMs }, async () => {
    await managed("running");
    expect(await status()).toMatchObject({ status: "running", ha: { managed: 1, state: "started" } });
    expect(await probe.get("/cluster/resources?type=vm")).toContainEqual(
      expect.objectContaining({ vmid: 700, hastate: "started" }),
    );
    expect(await probe.get(resources)).toMatchObject([{ sid: "vm:700", type: "vm", state: "started" }]);
    expect(await probe.get(`${resources}/vm:700`)).toMatchObject({ sid: "vm:700", state: "started" });
    await probe.lab.control.haManaged(700, "ignored");
    expect(await status()).toMatchObject({ ha: { managed: 0 } });
  });

  test.each([
    ["stop", "running", "stopped"],
    ["shutdown", "running", "stopped"],
    ["start", "stopped", "running"],
  ] as const)(
    "%s only files a request: its task ends well at once, the manager acts later",
    {
      timeout: testMs,
    },
    async (action, before, after) => {
      await managed(before);
      await probe.lab.control.ha({ seconds: null });
      const task = await power(action);
      expect(task).toMatchObject({ exitstatus: "OK", type: action === "start" ? "hastart" : "hastop" });
      expect(task.log[0]).toBe(`Requesting HA ${action === "start" ? "start" : "stop"} for VM 700`);
      expect((await vm())?.status).toBe(before);
      await probe.lab.control.ha();
      await expect.poll(async () => (await vm())?.status, soon).toBe(after);
      const wanted = after === "running" ? "started" : "stopped";
      await expect.poll(ha, soon).toEqual({ requested: wanted, state: wanted, node: "pve1" });
      const types = (await probe.lab.control.tasks())
        .filter(({ id }) => id === "700")
        .map(({ type, user }) => [type, user]);
      expect(types.at(-1)).toEqual([`qm${action}`, "root@pam"]);
    },
  );

  test("migrate only files a request, too", { timeout: testMs }, async () => {
    await managed("running");
    const task = await probe.run("POST", `${one}/migrate`, { target: "pve2", online: 1 });
    expect(task).toMatchObject({ type: "hamigrate", exitstatus: "OK" });
    expect((await vm())?.node).toBe("pve1");
    await expect.poll(vm, soon).toMatchObject({ node: "pve2", status: "running" });
    await expect.poll(ha, soon).toMatchObject({ state: "started", node: "pve2" });
  });

  test("that is powered off behind HA's back is started again", { timeout: testMs }, async () => {
    await managed("running");
    await probe.lab.control.power(700, "stopped");
    await expect.poll(async () => (await vm())?.status, soon).toBe("running");
  });

  test("whose start fails ends in error, and requests are refused in their tasks", { timeout: testMs }, async () => {
    await managed("stopped");
    await probe.lab.control.guest(700, { startError: "start failed: QEMU exited with code 1" });
    expect((await power("start")).exitstatus).toBe("OK");
    await expect.poll(async () => (await ha())?.state, soon).toBe("error");
    const refused = await power("start");
    expect(refused.exitstatus).toBe("command 'ha-manager set vm:700 --state started' failed: exit code 255");
    expect(refused.log).toContain("service 'vm:700' in error state, must be disabled and fixed first");
    await probe.lab.control.guest(700, { startError: null });
    for (const state of ["disabled", "started"]) {
      expect(await probe.refusal("PUT", `${resources}/vm:700`, { state }, "root-token")).toBe("");
      await expect.poll(async () => (await ha())?.state, soon).toBe(state === "disabled" ? "stopped" : "started");
    }
    await expect.poll(async () => (await vm())?.status, soon).toBe("running");
  });

  test("is destroyed only with purge, which takes its HA resource along", { timeout: testMs }, async () => {
    await managed("stopped");
    expect(await probe.refusal("DELETE", one)).toBe(
      "500 unable to remove VM 700 - used in HA resources and purge parameter not set.",
    );
    const task = await probe.run("DELETE", one, { purge: 1 });
    expect(task.log).toContain("NOTE: removed VM 700 from HA resource configuration.");
    expect(await probe.get(resources)).toEqual([]);
    await probe.lab.control.addVm({ vmid: 700 });
    expect(await status()).toMatchObject({ ha: { managed: 0 } });
  });

  test("is put under it by an admin, in PVE's words", { timeout: testMs }, async () => {
    await probe.lab.control.addVm({ vmid: 700, config: { scsi0: "nfs:700/vm-700-disk-0.qcow2,size=1G" } });
    const add = (params: Params, as = "root-token") => probe.refusal("POST", resources, params, as);
    expect(await add({ sid: "vm:700" }, "fleet-token")).toBe("403 Permission check failed (/, Sys.Console)");
    expect(await add({ sid: "vm:799" })).toBe("500 resource 'vm:799' does not exist in cluster");
    expect(await add({ sid: "700", state: "started" })).toBe("");
    expect(await add({ sid: "vm:700" })).toBe("500 create resource failed: resource ID 'vm:700' already defined");
    await expect.poll(async () => (await vm())?.status, soon).toBe("running");
    expect(await probe.refusal("DELETE", `${resources}/vm:700`, {}, "root-token")).toBe("");
    expect(await probe.refusal("DELETE", `${resources}/vm:700`, {}, "root-token")).toBe(
      "500 cannot delete service 'vm:700', not HA managed!",
    );
    expect((await vm())?.status).toBe("running");
  });
});

describe("a node that dies", () => {
  test("loses its HA resources to another node; its other guests stay with it", { timeout: testMs }, async () => {
    await managed("running");
    await probe.lab.control.addVm({ vmid: 701, status: "running", config: { name: "other" } });
    await probe.lab.control.nodeOnline("pve1", false);
    expect(await vm()).toMatchObject({ node: "pve1", status: "stopped" });
    await expect.poll(async () => (await ha())?.state, { ...soon, interval: 5 }).toBe("fence");
    await expect.poll(vm, soon).toMatchObject({ node: "pve2", status: "running", guest: { boots: 2 } });
    expect(await status("pve2")).toMatchObject({ ha: { managed: 1, state: "started" } });
    expect(await probe.refusal("GET", `${one}/config`)).toMatch(/^595/);
    await probe.lab.control.nodeOnline("pve1", true);
    expect(await probe.refusal("GET", `${one}/config`)).toBe(
      "500 Configuration file 'nodes/pve1/qemu-server/700.conf' does not exist",
    );
    expect((await probe.lab.control.vms())["701"]).toMatchObject({ node: "pve1", status: "stopped" });
    await probe.lab.control.deleteVm(701);
  });

  test("that comes back before it is fenced gets them back", { timeout: testMs }, async () => {
    await managed("running");
    await probe.lab.control.ha({ recoverySeconds: 100_000 });
    await probe.lab.control.nodeOnline("pve1", false);
    await probe.lab.control.nodeOnline("pve1", true);
    await expect.poll(vm, soon).toMatchObject({ node: "pve1", status: "running" });
  });

  test("gives away a VM with local disks too, which then cannot start", { timeout: testMs }, async () => {
    await managed("running", "local-lvm:vm-700-disk-0");
    await probe.lab.control.ha({ recoverySeconds: 20 });
    await probe.lab.control.nodeOnline("pve1", false);
    await expect.poll(async () => (await ha())?.state, soon).toBe("error");
    expect(await vm()).toMatchObject({ node: "pve2", status: "stopped" });
    const { exitstatus } = (await probe.lab.control.tasks()).findLast(({ type }) => type === "qmstart") ?? {};
    expect(exitstatus).toBe("volume 'local-lvm:vm-700-disk-0' does not exist");
  });
});
