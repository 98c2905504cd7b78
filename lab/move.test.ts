import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Params } from "./conformance/replay.ts";
import type { VmConfig } from "./control.ts";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
const path = "/nodes/pve1/qemu/700/move_disk";
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe();
  const dir = { type: "dir", content: "images" };
  await probe.lab.control.storage("data", { create: { ...dir, path: "/var/lib/data" } });
  await probe.lab.control.storage("other", { create: { ...dir, path: "/var/lib/other" } });
  await probe.template(600, { disk: "data:600/base-600-disk-0.qcow2" });
}, setupMs);

afterAll(() => probe?.close());

afterEach(async () => {
  await probe.lab.control.clearFaults();
  await probe.lab.control.timeScale(0.02);
  await probe.lab.control.privileges();
  for (const vmid of [700, 701]) if ((await probe.lab.control.vms())[vmid]) await probe.lab.control.deleteVm(vmid);
});

const add = (config: VmConfig, status: "running" | "stopped" = "stopped", template = false) =>
  probe.lab.control.addVm({ vmid: 700, config, status, template });
const move = (disk: string, storage: string, params: Params = {}) =>
  probe.run("POST", path, { disk, storage, ...params });
const refusal = (params: Params) => probe.refusal("POST", path, params);
const config = async (): Promise<VmConfig | undefined> => (await probe.lab.control.vms())["700"]?.config;
const volumes = async (storage: string): Promise<string[]> =>
  Object.keys((await probe.lab.control.state()).volumes[`pve1/${storage}`] ?? {}).filter((name) =>
    name.includes("700"),
  );

describe("move_disk", () => {
  test("copies a disk to another datastore and deletes the old one if asked to", { timeout: testMs }, async () => {
    await add({ virtio0: "data:700/vm-700-disk-0.raw,discard=on,size=128M" });
    const task = await move("virtio0", "other", { delete: 1 });
    expect(task).toMatchObject({ type: "qmmove", id: "700", exitstatus: "OK" });
    expect(task.log).toEqual([
      "copying volume 'data:700/vm-700-disk-0.raw' from current storage 'data' to target storage 'other'",
      "create full clone of drive virtio0 (data:700/vm-700-disk-0.raw)",
      "Formatting '/var/lib/other/images/700/vm-700-disk-0.raw', fmt=raw size=134217728 preallocation=off",
      "allocated target volume 'other:700/vm-700-disk-0.raw'",
      "transferred 128.0 MiB of 128.0 MiB (100.00%)",
      "removing source volume 'data:700/vm-700-disk-0.raw' after successful copy",
      "TASK OK",
    ]);
    expect(await config()).toEqual({ virtio0: "other:700/vm-700-disk-0.raw,discard=on,size=128M" });
    expect([await volumes("data"), await volumes("other")]).toEqual([[], ["700/vm-700-disk-0.raw"]]);
  });

  test("keeps the old one as unused otherwise, also of a running VM, in the target's format", {
    timeout: testMs,
  }, async () => {
    await add(
      { scsi0: "data:700/vm-700-disk-0.qcow2,size=1G", efidisk0: "data:700/vm-700-disk-1.raw,size=528K" },
      "running",
    );
    expect((await move("scsi0", "local-lvm")).exitstatus).toBe("OK");
    expect((await move("efidisk0", "other", { delete: 1 })).exitstatus).toBe("OK");
    expect(await config()).toEqual({
      ...{ scsi0: "local-lvm:vm-700-disk-0,size=1G", efidisk0: "other:700/vm-700-disk-0.raw,size=528K" },
      unused0: "data:700/vm-700-disk-0.qcow2",
    });
    expect((await move("scsi0", "data", { format: "raw", delete: 1 })).exitstatus).toBe("OK");
    expect((await move("scsi0", "data", { format: "qcow2", delete: 1 })).exitstatus).toBe("OK");
    expect((await config())?.scsi0).toBe("data:700/vm-700-disk-2.qcow2,size=1G");
  });

  test("is refused at once in PVE's words", { timeout: testMs }, async () => {
    await add({ scsi0: "data:700/vm-700-disk-0.qcow2,size=1G", ide0: "none,media=cdrom" });
    expect(await refusal({ disk: "scsi0", storage: "data" })).toBe(
      "500 you can't move to the same storage with same format",
    );
    expect(await refusal({ disk: "scsi1", storage: "other" })).toBe("500 disk 'scsi1' does not exist");
    expect(await refusal({ disk: "ide0", storage: "other" })).toBe("500 you can't move a cdrom");
    expect(await refusal({ disk: "scsi0", storage: "local" })).toMatch(/^400/);
    expect(await refusal({ disk: "scsi0" })).toMatch(/^400/);
    await probe.lab.control.patchConfig(700, { set: { lock: "backup" } });
    expect(await refusal({ disk: "scsi0", storage: "other" })).toBe("500 VM is locked (backup)");
    await probe.lab.control.privileges("/storage", ["Datastore.Audit"]);
    expect(await refusal({ disk: "scsi0", storage: "other" })).toBe(
      "403 Permission check failed (/storage/other, Datastore.AllocateSpace)",
    );
    await probe.lab.control.privileges("/vms", ["VM.Audit"]);
    expect(await refusal({ disk: "scsi0", storage: "other" })).toMatch(/^403 .*VM\.Config\.Disk/);
  });

  test("does not move the TPM's state of a running VM; that of a stopped one it does", {
    timeout: testMs,
  }, async () => {
    await add({ tpmstate0: "data:700/vm-700-disk-0.raw,size=4M,version=v2.0" }, "running");
    expect((await move("tpmstate0", "other", { delete: 1 })).exitstatus).toBe(
      "storage migration failed: cannot move TPM state while VM is running",
    );
    expect(await volumes("other")).toEqual([]);
    await probe.lab.control.power(700, "stopped");
    expect((await move("tpmstate0", "other", { delete: 1 })).exitstatus).toBe("OK");
    expect((await config())?.tpmstate0).toBe("other:700/vm-700-disk-0.raw,size=4M,version=v2.0");
  });

  test("makes a linked clone's disk a whole one; moves its cloud-init drive under its name", {
    timeout: testMs,
  }, async () => {
    expect((await probe.run("POST", "/nodes/pve1/qemu/600/clone", { newid: 700 })).exitstatus).toBe("OK");
    expect((await config())?.scsi0).toContain("base-600-disk-0");
    await probe.session.send("fleet-token", "PUT", "/nodes/pve1/qemu/700/config", { ide2: "data:cloudinit" });
    for (const disk of ["scsi0", "ide2"]) expect((await move(disk, "other", { delete: 1 })).exitstatus).toBe("OK");
    expect(await config()).toMatchObject({
      ...{
        scsi0: "other:700/vm-700-disk-0.qcow2,size=2G",
        ide2: "other:700/vm-700-cloudinit.qcow2,media=cdrom,size=4M",
      },
    });
    const other = (await probe.lab.control.state()).volumes["pve1/other"];
    expect(other?.["700/vm-700-disk-0.qcow2"]?.parent).toBeNull();
    expect(await volumes("data")).toEqual([]);
  });

  test("of a template makes a new base; one that clones hang on stays where it is", { timeout: testMs }, async () => {
    await add({ scsi0: "data:700/base-700-disk-0.qcow2,size=1G" }, "stopped", true);
    expect((await probe.run("POST", "/nodes/pve1/qemu/700/clone", { newid: 701 })).exitstatus).toBe("OK");
    const task = await move("scsi0", "other", { delete: 1 });
    expect(task.exitstatus).toBe("OK");
    expect(task.log.join("\n")).toContain("is still in use by linked cloned");
    expect((await config())?.scsi0).toBe("other:700/base-700-disk-0.qcow2,size=1G");
    expect(await volumes("data")).toContain("700/base-700-disk-0.qcow2");
  });

  test("that has no room, or is aborted, leaves the VM as it was; one that is killed leaves the new volume", {
    timeout: testMs,
  }, async () => {
    await add({ scsi0: "data:700/vm-700-disk-0.qcow2,size=4G" });
    const before = await config();
    await probe.lab.control.volume("data", "700/vm-700-disk-0.qcow2", { used: 2 * 1024 ** 3 });
    await probe.lab.control.storage("other", { avail: 1024 ** 2 });
    expect((await move("scsi0", "other", { delete: 1 })).exitstatus).toMatch(
      /^storage migration failed: copy failed: /,
    );
    expect([await config(), await volumes("other")]).toEqual([before, []]);
    await probe.lab.control.storage("other", { avail: 50 * 1024 ** 3 });
    await probe.lab.control.timeScale(1);
    const begin = async (): Promise<string> => {
      const { data } = await probe.session.send("fleet-token", "POST", path, {
        disk: "scsi0",
        storage: "other",
        delete: 1,
      });
      await expect.poll(() => volumes("other"), { interval: 5, timeout: 10_000 }).not.toEqual([]);
      return String(data);
    };
    const aborted = await begin();
    await probe.session.send("fleet-token", "DELETE", `/nodes/pve1/tasks/${encodeURIComponent(aborted)}`, {});
    expect((await probe.session.ended(aborted)).exitstatus).toMatch(
      /^storage migration failed: copy failed: command .* failed: interrupted by signal$/,
    );
    expect([await config(), await volumes("other")]).toEqual([before, []]);
    const killed = await begin();
    await probe.lab.control.killTask({ upid: killed });
    expect((await probe.session.ended(killed)).exitstatus).toBe("unexpected status");
    expect([await config(), await volumes("other")]).toEqual([before, ["700/vm-700-disk-0.qcow2"]]);
  });
});

describe("move_disk to another VM", () => {
  const SCSI1 = "data:700/vm-700-disk-1.qcow2,discard=on,size=2G";
  const two = async (config: VmConfig = {}, target: VmConfig = {}, node = "pve1") => {
    await add({ boot: "order=scsi1;net0", scsi1: SCSI1, net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0", ...config });
    await probe.lab.control.addVm({ vmid: 701, node, config: target });
  };
  const give = (disk: string, params: Params = {}) => probe.run("POST", path, { disk, "target-vmid": 701, ...params });
  const no = (params: Params = {}) => refusal({ disk: "scsi1", "target-vmid": 701, ...params });
  const all = async () => (await probe.lab.control.state()).volumes["pve1/data"] ?? {};

  test("gives its volume to that VM, under its name, with its options; here and back it is the same volume", {
    timeout: testMs,
  }, async () => {
    await two({}, { scsi0: "data:701/vm-701-disk-0.raw,size=1G" });
    await probe.lab.control.volume("data", "700/vm-700-disk-1.qcow2", { used: 1_234_567_890 });
    const task = await give("scsi1", { "target-disk": "scsi5" });
    expect(task).toMatchObject({ type: "qmmove", id: "700-scsi1>701-scsi5", exitstatus: "OK" });
    expect(task.log).toEqual([
      "reassign disk 'scsi1' from VM '700' as 'scsi5' to VM '701'",
      "removing disk 'scsi1' from boot order config",
      "removing disk 'scsi1' from VM '700' config",
      "TASK OK",
    ]);
    expect(await config()).toEqual({ boot: "order=net0", net0: "virtio=BC:24:11:00:00:01,bridge=vmbr0" });
    expect((await probe.lab.control.vms())["701"]?.config.scsi5).toBe(
      "data:701/vm-701-disk-1.qcow2,discard=on,size=2G",
    );
    expect((await all())["701/vm-701-disk-1.qcow2"]).toMatchObject({ vmid: 701, used: 1_234_567_890 });
    const back = { disk: "scsi5", "target-vmid": 700, "target-disk": "virtio3" };
    expect((await probe.run("POST", "/nodes/pve1/qemu/701/move_disk", back)).exitstatus).toBe("OK");
    expect((await config())?.virtio3).toBe("data:700/vm-700-disk-0.qcow2,discard=on,size=2G");
    expect((await all())["700/vm-700-disk-0.qcow2"]).toMatchObject({ vmid: 700, used: 1_234_567_890 });
  });

  test("takes an unused disk of a running VM, and gives an unused one", { timeout: testMs }, async () => {
    await two({ scsi2: "data:700/vm-700-disk-4.raw,size=1G" });
    await probe.session.send("fleet-token", "PUT", "/nodes/pve1/qemu/700/config", { delete: "scsi2" });
    await probe.lab.control.power(700, "running");
    expect(await no()).toBe("500 Cannot move disk to another VM while the source VM is running - detach first");
    expect((await give("unused0", { "target-disk": "scsi2" })).exitstatus).toBe("OK");
    await probe.lab.control.power(700, "stopped");
    expect((await give("scsi1", { "target-disk": "unused3" })).exitstatus).toBe("OK");
    expect((await probe.lab.control.vms())["701"]?.config).toMatchObject({
      scsi2: expect.stringMatching(/^data:701\/vm-701-disk-0\.raw,size=/),
      unused3: "data:701/vm-701-disk-1.qcow2",
    });
  });

  test("is refused at once in PVE's words", { timeout: testMs }, async () => {
    const both = "either set 'storage' or 'target-vmid', but not both";
    await two({ ide0: "none,media=cdrom" }, { scsi1: "data:701/vm-701-disk-0.raw,size=1G" });
    expect(await no({ storage: "other" })).toMatch(/^400/);
    expect(
      (await probe.session.send("fleet-token", "POST", path, { disk: "scsi1", "target-vmid": 701, storage: "other" }))
        .errors,
    ).toMatchObject({ storage: both, "target-vmid": both });
    expect(await no({ "target-vmid": 700 })).toMatch(/^400/);
    expect(await no({ "target-vmid": 799 })).toBe("500 could not find target VM 799");
    expect(await no({ "target-vmid": 600 })).toBe("500 Can't move disks from or to template VMs");
    expect(await no()).toBe("500 Target disk key 'scsi1' is already in use for VM '701'");
    expect(await no({ disk: "scsi9" })).toBe("500 Disk 'scsi9' for VM '700' does not exist");
    expect(await no({ disk: "ide0" })).toBe("500 CD drive contents can't be moved to another VM");
    expect(await no({ "target-disk": "scsi2", digest: "0".repeat(40) })).toMatch(
      /^500 VM 700: detected modified configuration/,
    );
    expect(await no({ "target-disk": "scsi2", "target-digest": "0".repeat(40) })).toMatch(/^500 VM 701: /);
    await probe.lab.control.patchConfig(701, { set: { lock: "backup" } });
    expect(await no({ "target-disk": "scsi2" })).toBe("500 VM is locked (backup)");
    await probe.lab.control.patchConfig(701, { delete: ["lock"] });
    await probe.lab.control.privileges("/storage", ["Datastore.Audit"]);
    expect(await no({ "target-disk": "scsi2" })).toBe(
      "403 Permission check failed (/storage/data, Datastore.AllocateSpace)",
    );
    await probe.lab.control.privileges("/vms", ["VM.Audit"]);
    expect(await no()).toMatch(/^403 .*VM\.Config\.Disk/);
  });

  test("does not cross nodes", { timeout: testMs }, async () => {
    await two({}, {}, "pve2");
    expect(await no()).toBe("500 Both VMs need to be on the same node (pve1 != pve2)");
  });

  test("that is killed half-way leaves a volume with its new name in nobody's config", {
    timeout: testMs,
  }, async () => {
    await two();
    await probe.lab.control.hangTask("qmmove", { volumes: 2 });
    const params = { disk: "scsi1", "target-vmid": 701 };
    const { data: upid } = await probe.session.send("fleet-token", "POST", path, params);
    await expect.poll(async () => Object.keys((await config()) ?? {})).not.toContain("scsi1");
    await probe.lab.control.killTask({ upid: String(upid) });
    expect((await probe.session.ended(String(upid))).exitstatus).toBe("unexpected status");
    expect((await probe.lab.control.vms())["701"]?.config).toEqual({});
    expect(Object.keys(await all())).toContain("701/vm-701-disk-0.qcow2");
  });
});
