import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { notes } from "../fleet/ownership.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { type ConversionInputs, provider } from "../providers/conversion/provider.ts";
import type { ConfigReader } from "../providers/dynamic/handlers.ts";
import type { PveClient } from "../proxmox/client.ts";
import { waitForTask } from "../proxmox/task.ts";
import { clientOf, configOf } from "./provider.ts";

const description = notes("", { fleetId: "f1", stack: "o/p/s", resource: "templates.noble", vmId: 300, content: "c" });
const inputs: ConversionInputs = {
  statusUrn: "",
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
  const asked = async (end: string) =>
    (await lab.control.requests()).api.filter(({ method, path }) => method === "POST" && path.endsWith(end)).length;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "golden-fleet-"));
    lab = await startLab({ dir, timeScale: 0.01 });
    config = configOf(lab);
    client = clientOf(lab);
  });
  afterAll(async () => {
    await client?.close();
    await lab?.stop();
    if (dir) await rm(dir, { recursive: true, force: true });
  });
  beforeEach(async () => {
    await lab.control.clearFaults();
    if (await vm()) await lab.control.deleteVm(300);
    const options = { vmid: 300, name: "noble", description, scsi0: "local-lvm:2", efidisk0: "local-lvm:1,efitype=4m" };
    await waitForTask(client, await client.post("/nodes/pve1/qemu", options));
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
    expect([await asked("/status/shutdown"), await asked("/status/stop")]).toEqual([1, 1]);
    expect((await vm())?.config.template).toBe(1);
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
    const error = (await create().catch((caught: unknown) => caught)) as Error & { id: string; properties: object };
    expect(error.message).toMatch(
      /^could not convert the VM to a template \(node pve1, VM 300\)\n {2}PVE task qmtemplate 300/,
    );
    expect(error.message).toMatch(/task log: .*no space left/s);
    expect(error.message).toMatch(/Make room on the datastore.*run `pulumi up` again/);
    expect(error).toMatchObject({ id: "300", properties: { isTemplate: false } });
    const state = error.properties as ConversionInputs & { isTemplate: boolean };
    expect((await provider.update(config, "300", state, inputs)).isTemplate).toBe(true);
  });

  it("takes a lost answer for what it was", async () => {
    await lab.control.cut("POST", "/nodes/pve1/qemu/300/template", "after");
    expect(await message(create())).not.toBe("");
    expect((await create()).outs.isTemplate).toBe(true);
  });

  it("waits for a conversion that a killed run has asked for: PVE calls it a template before its disks are", async () => {
    await lab.control.timeScale(1);
    await lab.control.cut("POST", "/nodes/pve1/qemu/300/template", "after");
    expect(await message(create())).not.toBe("");
    expect((await create()).outs.isTemplate).toBe(true);
    await lab.control.timeScale(0.01);
  });

  it("does not believe PVE that all went well", async () => {
    await create();
    await lab.control.patchConfig(300, { set: { scsi0: "local-lvm:vm-300-disk-9,size=2G" } });
    expect(await message(create())).toContain("not every disk became a base volume: scsi0 is local-lvm:vm-300-disk-9");
  });

  it("touches no VM that is not ours, neither to convert nor to let it be deleted", async () => {
    await lab.control.patchConfig(300, { set: { description: "payroll" } });
    const before = await vm();
    expect(await message(create())).toContain("does not carry this stack's mark");
    const gone = await message(provider.delete(config, "300", { ...inputs, isTemplate: true }));
    expect(gone).toMatch(/VM 300 \(noble\) does not carry this stack's mark.*pulumi state delete/s);
    expect(await vm()).toEqual(before);
  });

  it("lets a VM be deleted, unless it is protected or locked: then it says what to do", async () => {
    const remove = () => message(provider.delete(config, "300", { ...inputs, isTemplate: true }));
    expect(await remove()).toBe("");
    await lab.control.patchConfig(300, { set: { protection: 1 } });
    expect(await remove()).toMatch(/is protected. Set protection: false .* `pulumi up`/);
    await lab.control.patchConfig(300, { set: { protection: 0, lock: "backup" } });
    expect(await remove()).toMatch(/is locked \(backup\).*qm unlock/s);
    await lab.control.deleteVm(300);
    expect(await remove()).toBe("");
  });

  it("sees drift, and puts it right", async () => {
    const { outs } = await create();
    expect(await provider.read(config, "300", outs)).toMatchObject({ outs: { isTemplate: true } });
    await lab.control.patchConfig(300, { delete: ["template"] });
    const read = await provider.read(config, "300", outs);
    expect(read).toMatchObject({ outs: { isTemplate: false } });
    expect(await provider.diff(config, "300", { ...outs, isTemplate: false }, inputs)).toMatchObject({ changes: true });
    await lab.control.deleteVm(300);
    expect(await provider.read(config, "300", outs)).toBeUndefined();
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
});
