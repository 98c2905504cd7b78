import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { notes } from "../fleet/ownership.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { type ConversionInputs, type ConversionState, provider } from "../providers/conversion/provider.ts";
import type { ConfigReader } from "../providers/dynamic/handlers.ts";
import { runOf, setRun } from "../providers/run/connect.ts";
import { Run } from "../providers/run/run.ts";
import { provider as guard } from "../providers/templateVm/provider.ts";
import { PveClient } from "../proxmox/client.ts";
import { listGuests } from "../proxmox/guests.ts";
import { waitForTask } from "../proxmox/task.ts";
import { clientOf, configOf } from "./provider.ts";

const description = notes("", { fleetId: "f1", stack: "o/p/s", resource: "templates.noble", vmId: 300, content: "c" });
const URN =
  "urn:pulumi:prod::fleet::golden-fleet:index:VmTemplate$pulumi-nodejs:dynamic/golden-fleet:TemplateConversion::300-conversion";
const inputs: ConversionInputs = {
  statusUrn: URN,
  node: "pve1",
  vmId: 300,
  fleetId: "f1",
  bootDisk: "scsi0",
  diskGiB: 2,
  makeTemplate: true,
  shutdownSeconds: 10,
};
const LOCKED = "can't lock file '/var/lock/qemu-server/lock-300.conf' - got timeout";

describe("the conversion of a VM to a template", () => {
  let dir: string;
  let lab: Lab;
  let config: ConfigReader;
  let client: PveClient;
  const vm = async () => (await lab.control.state()).vms["300"];
  const create = (more: Partial<ConversionInputs> = {}) => provider.create(config, { ...inputs, ...more });
  const message = (work: Promise<unknown>) =>
    work.then(
      () => "",
      (error: Error) => error.message,
    );
  const hiccup = (end: string, started: boolean, method = "POST") =>
    lab.control.hiccup({ method, path: `/nodes/pve1/qemu/300${end}`, started });
  const unreachable = (end: string, method = "POST") =>
    lab.control.fail({ method, path: `/nodes/pve1/qemu/300${end}`, status: 595, message: "No route to host" });
  /** The name that the list of guests has for the VMID; it lags. */
  const listed = async () => (await listGuests(client)).find(({ vmid }) => vmid === 300)?.name;
  const asked = async (end: string) =>
    (await lab.control.requests()).api.filter(({ method, path }) => method === "POST" && path.endsWith(end)).length;

  const make = async (scsi0: string, more: object = {}) =>
    waitForTask(
      client,
      await client.post("/nodes/pve1/qemu", { vmid: 300, name: "noble", description, scsi0, ...more }),
    );

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "golden-fleet-"));
    lab = await startLab({ dir, timeScale: 0.01 });
    config = configOf(lab);
    client = new PveClient(clientOf(lab).connection, { pauseMs: 5 });
    setRun(config, new Run(client, runOf(config).cluster, { quietMs: 20 }));
  });
  afterAll(async () => {
    await client?.close();
    await lab?.stop();
    if (dir) await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await lab.control.clearFaults();
    if (await vm()) await lab.control.deleteVm(300);
    await make("local-lvm:2", { efidisk0: "local-lvm:1,efitype=4m" });
    await lab.control.clearRequests();
  });

  it("makes a stopped VM a template and looks at the outcome", async () => {
    const { id, outs } = await create();
    expect([id, outs.isTemplate]).toEqual(["300", true]);
    expect((await vm())?.config).toMatchObject({
      template: 1,
      scsi0: expect.stringContaining("base-300-disk"),
      efidisk0: expect.stringContaining("base-300-disk"),
    });
  });

  it("has nothing to do when the VM is a template already", async () => {
    await create();
    await lab.control.clearRequests();
    expect((await create()).outs.isTemplate).toBe(true);
    expect((await lab.control.requests()).api.filter(({ method }) => method !== "GET")).toEqual([]);
  });

  it("shuts a running VM down first", async () => {
    await lab.control.power(300, "running");
    await create();
    expect([await asked("/status/shutdown"), await asked("/status/stop")]).toEqual([1, 0]);
    expect((await vm())?.config.template).toBe(1);
  });

  it("stops a VM that ignores its shutdown, after the time it has", async () => {
    await lab.control.guest(300, { acpi: false });
    await lab.control.power(300, "running");
    await create();
    expect([await asked("/status/shutdown"), await asked("/status/stop")]).toEqual([1, 0]);
    expect(await vm()).toMatchObject({ status: "stopped", config: { template: 1 } });
  });

  it("leaves a plain VM a plain VM, running or not", async () => {
    await lab.control.power(300, "running");
    const { outs } = await create({ makeTemplate: false });
    expect(outs.isTemplate).toBe(false);
    expect(await vm()).toMatchObject({ status: "running" });
    expect((await vm())?.config).not.toHaveProperty("template");
  });

  it("grows a disk that is smaller than it is to be, and never shrinks one", async () => {
    await create({ makeTemplate: false, diskGiB: 3 });
    expect((await vm())?.config.scsi0).toMatch(/size=3G/);
    await create({ makeTemplate: false, diskGiB: 1 });
    expect((await vm())?.config.scsi0).toMatch(/size=3G/);
  });

  it("tries three times more when PVE is busy", async () => {
    await lab.control.failTask("qmtemplate", LOCKED, 2);
    expect((await create()).outs.isTemplate).toBe(true);
    expect(await asked("/template")).toBe(3);
  });

  it("says stage, node, VMID, PVE's words, the task's log and what to do, and is kept as unfinished", async () => {
    await lab.control.failTask("qmtemplate", "lvconvert: no space left in the thin pool");
    const error = (await create().catch((caught: unknown) => caught)) as Error & { id: string; state: ConversionState };
    expect(error.message).toMatch(
      /^could not convert the VM to a template \(node pve1, VM 300\)\n {2}PVE task qmtemplate 300/,
    );
    expect(error.message).toMatch(/task log: .*no space left/s);
    expect(error.message).toMatch(/Make room on the datastore.*run `pulumi up` again/);
    expect(error).toMatchObject({ id: "300", state: { isTemplate: false } });
    expect((await provider.update(config, "300", error.state, inputs)).isTemplate).toBe(true);
  });

  it.each<[string, () => Promise<unknown>]>([
    [
      "an answer that got lost after it was done",
      () => lab.control.cut("POST", "/nodes/pve1/qemu/300/template", "after"),
    ],
    ["an answer that got lost before it was done", () => lab.control.cut("POST", "/nodes/pve1/qemu/300/template")],
    ["a lost answer to the growing of the disk", () => lab.control.cut("PUT", "/nodes/pve1/qemu/300/resize", "after")],
    ["a worker that was not heard and runs", () => hiccup("/template", true)],
    ["a worker that was not heard and does not run", () => hiccup("/template", false)],
    ["a worker that was not heard when the VM was shut down", () => hiccup("/status/shutdown", true)],
    ["a proxy that did not reach the node", () => unreachable("/template")],
  ])("goes on after %s", async (_, trouble) => {
    await lab.control.timeScale(0.05);
    await lab.control.power(300, "running");
    await trouble();
    expect((await create({ diskGiB: 3 })).outs.isTemplate).toBe(true);
    expect((await vm())?.config).toMatchObject({ template: 1, scsi0: expect.stringMatching(/base-300.*size=3G/) });
    await lab.control.timeScale(0.01);
  });

  it("waits for a conversion that a killed run has asked for: PVE calls it a template before its disks are", async () => {
    await lab.control.timeScale(1);
    await client.post("/nodes/pve1/qemu/300/template");
    expect((await create()).outs.isTemplate).toBe(true);
    await lab.control.timeScale(0.01);
  });

  it("does not make a template of a VM that HA manages, and does not stop it: it says how to take it out", async () => {
    await lab.control.power(300, "running");
    await lab.control.haManaged(300);
    expect(await message(create())).toMatch(/VM 300 is managed by HA.*Take it out: ha-manager remove vm:300/);
    expect(await vm()).toMatchObject({ status: "running" });
    expect((await create({ makeTemplate: false })).outs.isTemplate).toBe(false);
    await lab.control.haManaged(300, null);
    expect((await create()).outs.isTemplate).toBe(true);
  });

  it("does not believe PVE that all went well", async () => {
    await create();
    await lab.control.patchConfig(300, { set: { scsi0: "local-lvm:vm-300-disk-9,size=2G" } });
    expect(await message(create())).toContain("not every disk became a base volume: scsi0 is local-lvm:vm-300-disk-9");
  });

  it("touches no VM that is not ours", async () => {
    await lab.control.patchConfig(300, { set: { description: "payroll" } });
    const before = await vm();
    expect(await message(create())).toContain(
      'VMID 300 is taken by VM "noble" on node pve1, which this stack did not make',
    );
    expect(await vm()).toEqual(before);
  });

  it("sees drift, and puts it right", async () => {
    const { outs } = await create();
    expect(await provider.read(config, "300", outs)).toMatchObject({ outs: { isTemplate: true } });
    await lab.control.patchConfig(300, { delete: ["template"] });
    const read = await provider.read(config, "300", outs);
    expect(read).toMatchObject({ outs: { isTemplate: false } });
    expect(await provider.diff(config, "300", { ...outs, isTemplate: false }, inputs)).toMatchObject({ changes: true });
  });

  it.each([
    ["is gone", undefined],
    ["is on another node, and somebody else's", "pve2"],
  ])("stays in the state when its VM %s, and is finished anew with a new one", async (_, node) => {
    const plain = { ...inputs, makeTemplate: false };
    const { outs } = await create(plain);
    await lab.control.deleteVm(300);
    if (node) await lab.control.addVm({ vmid: 300, node, config: { name: "payroll" } });
    await expect.poll(listed).toBe(node && "payroll");
    const read = await provider.read(config, "300", outs);
    expect(read).toEqual({ outs: { ...outs, missing: true } });
    expect(await provider.diff(config, "300", read?.outs ?? outs, plain)).toMatchObject({
      changes: true,
      replaces: [],
    });
  });

  it("refuses at preview to turn a template back, and converts a plain VM in place", async () => {
    const outs = { ...inputs, isTemplate: true };
    expect(await message(provider.diff(config, "300", outs, { ...inputs, makeTemplate: false }))).toContain(
      "PVE cannot turn it back",
    );
    const plain = { ...inputs, makeTemplate: false, isTemplate: false };
    const diff = await provider.diff(config, "300", plain, inputs);
    expect(diff).toMatchObject({ changes: true, replaces: [] });
    expect((await provider.update(config, "300", plain, inputs)).isTemplate).toBe(true);
  });

  describe("when it is deleted", () => {
    const state: ConversionState = { ...inputs, isTemplate: true };
    const remove = (more: Partial<ConversionState> = {}) =>
      message(provider.delete(config, "300", { ...state, ...more }));
    const volumes = async () =>
      Object.values((await lab.control.state()).volumes).flatMap((all) =>
        Object.keys(all).filter((name) => /-300-/.test(name)),
      );

    it("deletes the VM with its disks, running or not, wherever it is by now", async () => {
      await lab.control.power(300, "running");
      expect(await remove({ node: "pve2" })).toBe("");
      expect([await vm(), await volumes()]).toEqual([undefined, []]);
      expect(await remove()).toBe("");
    });

    it("leaves that to the plugin by a state of the first version, which says so", async () => {
      const migrate = provider.migrations?.[1]?.(state) as ConversionState;
      expect(await remove(migrate)).toBe("");
      expect(await vm()).toBeDefined();
      expect(await provider.diff(config, "300", migrate, inputs)).toMatchObject({ changes: true, replaces: [] });
      expect(await provider.update(config, "300", migrate, inputs)).not.toHaveProperty("pluginDeletes");
    });

    it("leaves a VM alone that another template of the config has by now", async () => {
      const other = { ...state, statusUrn: URN.replace("300", "noble-300") };
      const run = runOf(config);
      await provider.diff(config, "300", state, inputs);
      expect(await message(provider.delete(config, "300", other))).toBe("");
      expect(await message(provider.delete(config, "300", { ...other, pluginDeletes: true }))).toMatch(
        /another template of the config by now.*noble-300-conversion'\n.*VmLegacy::noble-300-vm'/s,
      );
      expect(await vm()).toBeDefined();
      // One that the engine makes anew is the same resource.
      await provider.diff(config, "300", other, inputs);
      expect(await message(provider.delete(config, "300", other))).toBe("");
      expect(await vm()).toBeUndefined();
      run.conversions.clear();
    });

    it("leaves alone what is not ours, on any node, and says how to go on", async () => {
      await lab.control.deleteVm(300);
      await lab.control.addVm({ vmid: 300, node: "pve2", config: { name: "payroll" } });
      await expect.poll(listed).toBe("payroll");
      const before = await vm();
      expect(await remove()).toMatch(
        /VMID 300 is taken by VM "payroll" on node pve2, which this stack did not make\. It is left alone\n.*\n.*\n {4}pulumi state delete '.*::300-conversion'$/,
      );
      const forgotten = [...(await remove({ pluginDeletes: true })).matchAll(/pulumi state delete '(.*)'/g)].map(
        ([, urn]) => urn,
      );
      expect(forgotten).toEqual([
        URN,
        "urn:pulumi:prod::fleet::golden-fleet:index:VmTemplate$proxmoxve:index/vmLegacy:VmLegacy::300-vm",
      ]);
      expect(await vm()).toEqual(before);
    });

    it("does nothing to a VM that is protected or locked: it says what to do", async () => {
      await lab.control.patchConfig(300, { set: { protection: 1 } });
      await lab.control.power(300, "running");
      expect(await remove()).toMatch(/VM 300 "noble" is protected. Set protection: false .* `pulumi up`/);
      expect(await vm()).toMatchObject({ status: "running" });
      await lab.control.patchConfig(300, { set: { protection: 0, lock: "backup" } });
      expect(await remove()).toMatch(/is locked \(backup\).*qm unlock/s);
    });

    it("names the linked clones that somebody made of it, before anything is deleted", async () => {
      // PVE knows what is linked to a template on a directory, not on LVM-thin.
      await lab.control.storage("data", { create: { type: "dir", path: "/var/lib/data", content: "images" } });
      await lab.control.deleteVm(300);
      await make("data:2");
      await create();
      await waitForTask(client, await client.post("/nodes/pve1/qemu/300/clone", { newid: 350, name: "byhand" }));
      await expect.poll(async () => (await listGuests(client)).find(({ vmid }) => vmid === 350)?.name).toBe("byhand");
      const before = await vm();
      expect(await remove()).toMatch(/linked clones of VM 300 "noble" are alive.*: VM 350 "byhand" on node pve1\./);
      expect(await vm()).toEqual(before);
      await lab.control.deleteVm(350);
    });

    it.each<[string, () => Promise<unknown>]>([
      ["a lock that somebody holds for a moment", () => lab.control.failTask("qmdestroy", LOCKED, 2)],
      ["an answer that got lost after it was done", () => lab.control.cut("DELETE", "/nodes/pve1/qemu/300", "after")],
      ["a worker that was not heard and runs", () => hiccup("", true, "DELETE")],
      ["a worker that was not heard and does not run", () => hiccup("", false, "DELETE")],
      ["a proxy that did not reach the node", () => unreachable("", "DELETE")],
    ])("goes on after %s", async (_, trouble) => {
      await trouble();
      expect(await remove()).toBe("");
      expect([await vm(), await volumes()]).toEqual([undefined, []]);
    });

    it("deletes a VM that HA manages, with its HA resource", async () => {
      await lab.control.power(300, "running");
      await lab.control.haManaged(300);
      expect(await remove()).toBe("");
      expect([await vm(), (await lab.control.state()).ha["300"]]).toEqual([undefined, undefined]);
    });

    it("follows a VM that moves away between the look and the deletion", async () => {
      await lab.control.justBefore({ method: "DELETE", path: "/nodes/pve1/qemu/300" }, "move_vm", {
        vmid: 300,
        node: "pve2",
      });
      expect(await remove()).toBe("");
      expect(await vm()).toBeUndefined();
    });

    it("holds a failure back while others are being deleted", async () => {
      const { deletions } = runOf(config);
      const order: string[] = [];
      let free = () => {};
      const other = deletions
        .attempt(() => new Promise<void>((resolve) => (free = resolve)))
        .then(() => order.push("other"));
      await lab.control.patchConfig(300, { set: { protection: 1 } });
      const failed = remove().then((text) => order.push(text));
      await expect
        .poll(async () => (await lab.control.requests()).api.some(({ path }) => path.endsWith("/300/config")))
        .toBe(true);
      free();
      await Promise.all([other, failed]);
      expect(order).toEqual(["other", expect.stringContaining("is protected")]);
    });
  });

  describe("its guard", () => {
    const state = { statusUrn: "", node: "pve1", vmId: 300, fleetId: "f1" };

    it("deletes what a run has left that was killed before the conversion, and nothing else", async () => {
      await guard.delete(config, "300", state);
      expect(await vm()).toBeUndefined();
      await guard.delete(config, "300", state);
      await lab.control.addVm({ vmid: 300, config: { name: "payroll" } });
      await guard.delete(config, "300", state);
      expect((await vm())?.name).toBe("payroll");
    });
  });
});
