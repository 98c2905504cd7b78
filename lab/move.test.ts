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
