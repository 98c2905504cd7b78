import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { VmConfig } from "./control.ts";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
const one = "/nodes/pve1/qemu/700";
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe();
  await probe.lab.control.storage("data", { create: { type: "dir", content: "images", path: "/var/lib/data" } });
}, setupMs);
afterAll(() => probe?.close());
afterEach(async () => {
  await probe.lab.control.clearFaults();
  await probe.lab.control.deleteVm(700);
});

const add = (config: VmConfig, status: "running" | "stopped" = "stopped") =>
  probe.lab.control.addVm({ vmid: 700, config: { cores: 2, ...config }, status });
const take = (snapname: string, params: Record<string, string> = {}) =>
  probe.run("POST", `${one}/snapshot`, { snapname, ...params });
const list = () => probe.get<{ name: string; parent?: string; description?: string }[]>(`${one}/snapshot`);
const vm = async () => (await probe.lab.control.vms())["700"];

const LVM = { scsi0: "local-lvm:vm-700-disk-0,size=1G", efidisk0: "local-lvm:vm-700-disk-1,size=4M" };

test("a snapshot has the config of its time, and the VM names it as its parent", { timeout: testMs }, async () => {
  await add({ ...LVM, description: "notes of the VM" });
  expect(await take("s1", { description: "before" })).toMatchObject({
    type: "qmsnapshot",
    exitstatus: "OK",
    log: [
      "snapshotting 'drive-scsi0' (local-lvm:vm-700-disk-0)",
      "snapshotting 'drive-efidisk0' (local-lvm:vm-700-disk-1)",
      "TASK OK",
    ],
  });
  await probe.lab.control.patchConfig(700, { set: { cores: 4 } });
  expect(await probe.get(`${one}/snapshot/s1/config`)).toMatchObject({ cores: 2, description: "before" });
  expect((await take("s2")).exitstatus).toBe("OK");
  expect(await list()).toMatchObject([
    { name: "s1", description: "before" },
    { name: "s2", parent: "s1" },
    { name: "current", parent: "s2" },
  ]);
  expect((await take("s2")).exitstatus).toBe("snapshot name 's2' already used");
  expect((await probe.run("DELETE", `${one}/snapshot/s1`)).exitstatus).toBe("OK");
  expect((await vm())?.snapshots).toEqual(["s2"]);
  expect((await vm())?.config.parent).toBe("s2");
});

test.each([
  [LVM, 1],
  [{ scsi0: "data:700/vm-700-disk-0.qcow2,size=1G" }, 1],
  [{ scsi0: "data:700/vm-700-disk-0.raw,size=1G" }, 0],
  [{ ...LVM, tpmstate0: "data:700/vm-700-disk-2.raw,size=4M,version=v2.0" }, 0],
  [{ ide2: "data:700/vm-700-cloudinit.qcow2,media=cdrom" }, 1],
])("%j has the feature: %i", { timeout: testMs }, async (config, hasFeature) => {
  await add(config);
  expect(await probe.get(`${one}/feature`, { feature: "snapshot" })).toMatchObject({ hasFeature });
  expect((await take("s1")).exitstatus).toBe(hasFeature ? "OK" : "snapshot feature is not available");
});

test("a name must be PVE's, and takes VM.Snapshot", { timeout: testMs }, async () => {
  await add(LVM);
  const refusal = (snapname: string) => probe.refusal("POST", `${one}/snapshot`, { snapname });
  expect(await refusal("current")).toBe("500 unable to use snapshot name 'current' (reserved name)");
  for (const name of ["1st", "a b", "x".repeat(41)]) expect(await refusal(name)).toMatch(/^400 /);
  await probe.lab.control.privileges("/vms/700", ["VM.Audit"]);
  expect(await refusal("s1")).toBe("403 Permission check failed (/vms/700, VM.Snapshot)");
  await probe.lab.control.privileges();
});

test("a killed worker leaves a snapshot that is being made, and the VM locked", { timeout: testMs }, async () => {
  await add(LVM);
  await probe.lab.control.timeScale(1000);
  await probe.session.send("fleet-token", "POST", `${one}/snapshot`, { snapname: "s1" });
  await expect.poll(async () => (await vm())?.config.lock).toBe("snapshot");
  await probe.lab.control.killTask({ type: "qmsnapshot" });
  await probe.lab.control.timeScale(0.02);
  expect(await list()).toMatchObject([{ name: "s1", snapstate: "prepare" }, { name: "current" }]);
  expect((await take("s2")).exitstatus).toBe("VM is locked (snapshot)");
});

test.each([
  ["running", LVM, "online storage migration not possible if non-replicated snapshot exists"],
  ["stopped", LVM, "non-migratable snapshot exists"],
] as const)(
  "a %s VM with local disks and a snapshot stays where it is",
  { timeout: testMs },
  async (status, config, why) => {
    await add(config, status);
    await take("s1");
    const task = await probe.run("POST", `${one}/migrate`, { target: "pve2", online: 1, "with-local-disks": 1 });
    expect(task.exitstatus).toBe("migration aborted");
    expect(task.log.join("\n")).toContain(`can't migrate local disk 'local-lvm:vm-700-disk-0': ${why}`);
    expect((await vm())?.node).toBe("pve1");
  },
);
