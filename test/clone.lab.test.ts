import { describe, expect, it } from "vitest";
import { withSerial } from "../fleet/cloudInit/smbios.ts";
import { smbiosSerial } from "../fleet/cloudInit/smbiosSerial.ts";
import { markText } from "../fleet/ownership.ts";
import type { VmConfig } from "../lab/lab.ts";
import type { CloneInputs } from "../providers/clone/inputs.ts";
import type { CloneState } from "../providers/clone/state.ts";
import {
  asked,
  asRoot,
  beginRun,
  config,
  create,
  diff,
  errorOf,
  FLEET,
  failing,
  inputs,
  lab,
  made,
  mark,
  provider,
  read,
  remove,
  said,
  TEMPLATE,
  update,
  useCloneLab,
  vm,
  warned,
} from "./cloneLab.ts";

useCloneLab();

describe("a clone", () => {
  it("is made with three requests, and one for the whole run, and runs", async () => {
    const { id, outs } = await create();
    expect(id).toBe("9101");
    expect(outs).toMatchObject({
      spec: { name: "web-1" },
      node: "pve1",
      made: { template: "0123456789ab", full: false, datastore: "local-lvm" },
      status: "ready",
      address: "10.0.0.21",
    });
    expect(await vm()).toMatchObject({ name: "web-1", status: "running" });
    expect(await asked()).toEqual([
      "GET /nodes/pve1/storage",
      "POST /nodes/pve1/qemu/9000/clone",
      "PUT /nodes/pve1/qemu/9101/config",
      "POST /nodes/pve1/qemu/9101/status/start",
    ]);
    expect(said).toEqual(["cloning VM 9000 to 9101", "configuring web-1", "starting web-1", "web-1: ready"]);
  });

  it("has its own name, address, host name, tags and notes; everything else is the template's", async () => {
    await create();
    const found = (await vm())?.config ?? {};
    expect(found).toMatchObject({
      ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1",
      nameserver: "10.0.0.1",
      searchdomain: "example.net",
      onboot: 0,
      tags: "fleet-c1d2be9a;web",
      description: expect.stringContaining("resource=cloneSets.web vmid=9101"),
      smbios1: expect.stringMatching(/^uuid=[0-9a-f-]{36},base64=1,serial=/),
    });
    const serial = /serial=([^,]+)/.exec(String(found.smbios1))?.[1] ?? "";
    expect(Buffer.from(serial, "base64").toString()).toMatch(
      /^ds=nocloud;dsmode=net;h=web-1\.example\.net;net=[0-9a-f]{8}$/,
    );
    for (const key of ["memory", "cores", "ide2", "boot", "cicustom"]) expect(found[key]).toEqual(TEMPLATE[key]);
    const ours = ["name", "description", "ipconfig0", "nameserver", "searchdomain", "onboot", "tags", "smbios1"];
    const pves = ["meta", "vmgenid", "digest", "scsi0", "scsi30"];
    expect(Object.keys(found).filter((key) => !(key in TEMPLATE) && ![...ours, ...pves].includes(key))).toEqual([]);
  });

  it("is a linked clone on the template's disk, or a full one on its own datastore", async () => {
    await create();
    await create(inputs(2, { full: true, start: false }));
    const logs = (await lab.control.tasks()).filter(({ type }) => type === "qmclone").map(({ log }) => log.join("\n"));
    expect(logs.slice(-2)).toEqual([
      expect.stringContaining("create linked clone of drive scsi0 (local-lvm:base-9000-disk-0)"),
      expect.stringContaining("create full clone of drive scsi0 (local-lvm:base-9000-disk-0)"),
    ]);
    expect((await vm(9102))?.status).toBe("stopped");
  });

  it("shows the percents of a full clone", async () => {
    await create(inputs(1, { full: true, start: false }));
    expect(said).toContain("cloning VM 9000 to 9101: 100%");
  });
});

describe("a fleet", () => {
  it("of twenty clones at once on one datastore never fails, and says who waits", async () => {
    const fleet = Array.from({ length: 20 }, (_, index) => inputs(index + 1));
    const states = await Promise.all(fleet.map((one) => made(one)));
    expect(states.every(({ status }) => status === "ready")).toBe(true);
    const ended = (await lab.control.tasks()).filter(({ type, id }) => type === "qmclone" && id === "9000");
    expect(ended.filter(({ exitstatus }) => exitstatus !== "OK" && exitstatus !== undefined)).toEqual([]);
    expect(said).toContain("waiting for its turn: 6 at a time on local-lvm");
    beginRun();
    await Promise.all(states.map((state) => provider.delete(config, String(state.spec.vmId), state)));
    expect(Object.keys((await lab.control.state()).vms).filter((vmId) => Number(vmId) > 9000)).toEqual([]);
  });

  const busy = "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout";

  it("gets through where somebody else uses the datastore too: lock timeouts are tried again", async () => {
    await lab.control.holdStorageLock("local-lvm");
    const making = made();
    await expect.poll(() => said).toContain(`clone failed (${busy}); try 4 of 4`);
    await lab.control.releaseStorageLock("local-lvm");
    expect((await making).status).toBe("ready");
    expect(said.filter((text) => text.includes(busy))).toHaveLength(3);
  });

  it("gives up after the fourth try, with all that a person needs", async () => {
    await lab.control.holdStorageLock("local-lvm");
    const error = await errorOf(made());
    await lab.control.releaseStorageLock("local-lvm");
    expect(error).toMatch(
      /^could not make web-1, a linked clone of template 9000 \(node pve1, VM 9101, datastore local-lvm\)\n/,
    );
    expect(error).toContain(`PVE task qmclone 9000 failed: ${busy}`);
    expect(error).toContain("task log: ");
    expect(error).toContain("Something else holds the lock");
    expect(await vm()).toBeUndefined();
  });

  it("does not try again what PVE refuses; the others go on, and the next update makes the one", async () => {
    await lab.control.failTask("qmclone", "clone failed: no space left on device", 1);
    const states = await Promise.all([made(), made(inputs(2)), made(inputs(3))]);
    const [failed, ...others] = states.sort((a, b) => Number(b.status === "failed") - Number(a.status === "failed"));
    expect(failed?.error).toContain("Make room on the datastore");
    expect(others.map(({ status }) => status)).toEqual(["ready", "ready"]);
    expect((await asked()).filter((one) => one.endsWith("/clone"))).toHaveLength(3);
    const wanted = inputs((failed?.spec.vmId ?? 0) - 9100);
    expect(await diff(failed as CloneState, wanted)).toMatchObject({ changes: true, replaces: [] });
    const mended = await update(failed as CloneState, wanted);
    expect(mended.status).toBe("ready");
    expect(mended).not.toHaveProperty("error");
  });
});

describe("a clone that was begun", () => {
  it("by a run that was killed before it was configured is finished", async () => {
    const first = inputs();
    await create({ ...first, start: false });
    await lab.control.patchConfig(9101, { delete: ["ipconfig0", "tags"], set: { onboot: 1 } });
    const uuid = /uuid=([^,]+)/.exec(String((await vm())?.config.smbios1))?.[1];
    await create(first);
    expect(await vm()).toMatchObject({ status: "running", config: { ipconfig0: first.ipConfigs[0], onboot: 0 } });
    expect((await vm())?.config.smbios1).toContain(`uuid=${uuid}`);
  });

  it("is finished without another clone if it runs already", async () => {
    const state = await made();
    expect((await made()).made).toEqual(state.made);
    expect((await lab.control.tasks()).some(({ exitstatus }) => /already running/.test(exitstatus ?? ""))).toBe(false);
  });

  it("by a killed run is waited for while its task runs", async () => {
    await lab.control.timeScale(1);
    const first = made();
    await expect.poll(async () => (await vm())?.config.lock).toBe("clone");
    const second = made();
    expect((await first).status).toBe("ready");
    expect((await second).status).toBe("ready");
    expect(said).toContain("VM 9101 is being cloned by an earlier task: waiting for it");
  });

  /** A clone task of ours that is killed in the middle. The VMID is one that no other test has made anything on. */
  async function killedTask(by: typeof config, n: number): Promise<void> {
    await lab.control.timeScale(1);
    const running = provider.create(by, inputs(n));
    await expect.poll(async () => (await lab.control.killTask({ type: "qmclone" })).length).toBe(1);
    expect((await running).outs.status).toBe("failed");
    await lab.control.timeScale(0.01);
    beginRun();
  }

  it("whose task died is told with the two commands that remove it: a token may not", async () => {
    await killedTask(config, 41);
    const error = await errorOf(made(inputs(41)));
    expect(error).toContain("is what a clone task of ours that was killed has left (lock: clone)");
    expect(error).toContain("on pve1 run: qm unlock 9141 && qm destroy 9141 --purge");
    expect((await vm(9141))?.config.lock).toBe("clone");
  });

  it("whose task died is removed and made again by root with a password", async () => {
    const volumes = (await lab.control.state()).volumes;
    await killedTask(asRoot, 42);
    const { outs } = await provider.create(asRoot, inputs(42));
    expect(outs.status).toBe("ready");
    beginRun();
    await provider.delete(asRoot, "9142", outs);
    expect((await lab.control.state()).volumes).toEqual(volumes);
  });

  it("by somebody else, after a task of ours on that VMID that failed in order, is neither removed nor advised upon", async () => {
    await lab.control.failTask("qmclone", "clone failed: can't lock file '/x' - got timeout", 4, 9143);
    await errorOf(provider.create(asRoot, inputs(43)).then(({ outs }) => outs));
    const upid = await lab.control.clone({ source: 9000, newid: 9143, user: "mia@pam", hang: true });
    await lab.control.killTask({ upid });
    beginRun();
    const error = await errorOf(provider.create(asRoot, inputs(43)).then(({ outs }) => outs));
    expect(error).toContain("nothing shows that it was this stack's; it is left alone");
    expect(error).not.toMatch(/qm (unlock|destroy)/);
    expect((await vm(9143))?.config.lock).toBe("clone");
  });

  it("by somebody else is left alone when its task has died: nothing shows that it was ours", async () => {
    // A VMID that no task of the tests before this one has made.
    await lab.control.addVm({ vmid: 9150, config: { lock: "clone", description: " qmclone temporary file" } });
    const error = await errorOf(made(inputs(50)));
    expect(error).toContain("nothing shows that it was this stack's; it is left alone");
    expect(await vm(9150)).toBeDefined();
  });

  it.each(["before", "after"] as const)("goes on when the answer to any change is lost %s it is done", async (when) => {
    await lab.control.cut("POST", "/nodes/pve1/qemu/9000/clone", when);
    await lab.control.cut("PUT", "/nodes/pve1/qemu/9101/config", when);
    await lab.control.cut("POST", "/nodes/pve1/qemu/9101/status/start", when);
    const state = await made();
    expect(state.status).toBe("ready");
    expect(await vm()).toMatchObject({ status: "running", config: { ipconfig0: inputs().ipConfigs[0] } });
    await lab.control.cut("POST", "/nodes/pve1/qemu/9101/status/stop", when);
    await lab.control.cut("DELETE", "/nodes/pve1/qemu/9101", when);
    await remove(state);
    expect(await vm()).toBeUndefined();
  });

  it("that was made but did not start is kept in the state, and the next update starts it", async () => {
    await lab.control.failTask("qmstart", "start failed: QEMU exited with code 1", 1);
    const kept = await made();
    expect(kept).toMatchObject({ status: "failed", node: "pve1", made: { template: "0123456789ab" } });
    expect(kept.error).toMatch(/^could not start web-1 \(node pve1, VM 9101/);
    expect(kept.error).toContain("start failed: QEMU exited with code 1");
    expect((await update(kept, inputs())).status).toBe("ready");
    expect((await vm())?.status).toBe("running");
  });
});

describe("a VMID that is taken", () => {
  it("by somebody else's VM fails, and the VM stays as it is", async () => {
    await lab.control.addVm({ vmid: 9101, config: { name: "mail", memory: "512" } });
    const before = await vm();
    expect(await errorOf(made())).toContain(
      'VMID 9101 is taken by VM "mail" on node pve1, which this stack did not make; it is left alone. Choose another vmId',
    );
    expect(await vm()).toEqual(before);
  });

  it("by another stack's clone, or on another node, fails alike", async () => {
    await lab.control.addVm({ vmid: 9101, config: { name: "web-1", description: mark(1, { fleetId: "other" }) } });
    expect(await errorOf(made())).toContain("which belongs to stack organization/golden/test");
    await lab.control.addVm({ vmid: 9102, node: "pve2", config: { name: "db" } });
    expect(await errorOf(made(inputs(2)))).toContain('taken by VM "db" on node pve2');
  });

  it("by a clone of another set of the stack is that clone: it has moved, and its mark moves with it", async () => {
    const { uuid } = (await made()).made ?? {};
    const moved = await made(inputs(1, { set: "app" }));
    expect(moved).toMatchObject({ status: "ready", made: { uuid } });
    expect((await vm())?.config.description).toContain("resource=cloneSets.app vmid=9101");
    expect((await asked()).filter((one) => /clone$|^DELETE/.test(one))).toEqual([
      "POST /nodes/pve1/qemu/9000/clone",
      "POST /nodes/pve1/qemu/9000/clone",
    ]);
  });

  it("by a template of the stack fails", async () => {
    const description = markText({ fleetId: FLEET, stack: "s", resource: "templates.noble", vmId: 9101, content: "x" });
    await lab.control.addVm({ vmid: 9101, template: true, config: { name: "noble", description } });
    expect(await errorOf(made())).toContain("which is templates.noble of this stack");
  });

  it("by a clone of the template that somebody made by hand fails", async () => {
    const description = markText({ fleetId: FLEET, stack: "s", resource: "templates.noble", vmId: 9000, content: "x" });
    await lab.control.addVm({ vmid: 9101, config: { name: "copy", description } });
    expect(await errorOf(made())).toContain("which this stack did not make");
  });

  it("is taken over with `adopt: true`, with its notes kept; from then on it is ours", async () => {
    await lab.control.addVm({
      vmid: 9101,
      status: "running",
      config: { name: "mail", description: "ask Ann", memory: "512", scsi0: "local-lvm:vm-9101-disk-0,size=4G" },
    });
    const state = await made(inputs(1, { adopt: true }));
    expect(state.status).toBe("ready");
    const found = await vm();
    expect(found).toMatchObject({ name: "web-1", status: "running", config: { memory: "512" } });
    expect(found?.config.description).toMatch(/^ask Ann\n\nproxmox-golden-fleet: fleet=c1d2be9a .* vmid=9101/);
    expect((await read(state))?.outs).toMatchObject({ status: "ready" });
    await remove(state);
    expect(await vm()).toBeUndefined();
  });
});

describe("drift", () => {
  const stopped = (change: Partial<CloneInputs> = {}) => inputs(1, { start: false, ...change });

  it("there is none after create, whatever order PVE has things in", async () => {
    const wanted = inputs(1, {
      tags: ["web", "a"],
      nameservers: ["10.0.0.1", "10.0.0.2"],
      description: "the *first* one",
      cores: 4,
      memoryMiB: 1024,
      balloonMiB: 1024,
      nics: [{ bridge: "vmbr0", vlan: 20 }],
      diskGiB: 3,
      bootDisk: "scsi0",
    });
    const state = await made(wanted);
    const found = await read(state);
    expect(found?.outs).toEqual(state);
    expect((await diff(found?.outs as CloneState, wanted)).changes).toBe(false);
  });

  it("notes that somebody added, and a disk that somebody has grown, are none", async () => {
    const state = await made(inputs(1, { diskGiB: 3, bootDisk: "scsi0" }));
    const { description, scsi0 } = (await vm())?.config ?? {};
    const set = { description: `ask Ann\n\n${description}`, scsi0: String(scsi0).replace("size=3G", "size=5G") };
    await lab.control.patchConfig(9101, { set });
    expect((await read(state))?.outs).toEqual(state);
    await update(state, inputs(1, { diskGiB: 3, bootDisk: "scsi0", onBoot: true }));
    expect((await vm())?.config).toMatchObject({ ...set, onboot: 1 });
  });

  const other = withSerial("uuid=1", smbiosSerial("other"));
  it.each([
    ["name", { name: "renamed" }, { name: "renamed" }],
    ["address", { ipconfig0: "ip=dhcp" }, { ipConfigs: ["ip=dhcp"] }],
    [
      "address of a second interface",
      { ipconfig1: "ip=dhcp" },
      { ipConfigs: ["ip=10.0.0.21/24,gw=10.0.0.1", "ip=dhcp"] },
    ],
    ["DNS servers", { nameserver: "1.1.1.1" }, { nameservers: ["1.1.1.1"] }],
    ["search domain", { searchdomain: "lan" }, { searchDomain: "lan" }],
    ["tags", { tags: "fleet-c1d2be9a;mine;web" }, { tags: ["mine", "web"] }],
    ["fleet's tag", { tags: "web" }, { tags: ["", "web"] }],
    ["start with the node", { onboot: 1 }, { onBoot: true }],
    ["host name", { smbios1: other }, { hostname: "other" }],
    ["cores", { cores: 8 }, { cores: 8 }],
    ["memory", { memory: "512" }, { memoryMiB: 512 }],
    ["bridge", { net0: "virtio=BC:24:11:00:00:01,bridge=vmbr9,tag=20" }, { nics: [{ bridge: "vmbr9", vlan: 20 }] }],
    ["VLAN", { net0: "virtio=BC:24:11:00:00:01,bridge=vmbr1" }, { nics: [{ bridge: "vmbr1", vlan: 0 }] }],
  ])("of the %s is seen, and mended by an update", async (_what, set, seen) => {
    const hardware = { cores: 4, memoryMiB: 1024, balloonMiB: 1024, nics: [{ bridge: "vmbr1", vlan: 20 }] };
    const wanted = stopped(hardware);
    const state = await made(wanted);
    await lab.control.patchConfig(9101, { set: set as VmConfig });
    const found = await read(state);
    expect(found?.outs.spec).toEqual({ ...state.spec, ...seen });
    expect(await diff(found?.outs as CloneState, wanted)).toMatchObject({ changes: true, replaces: [] });
    const mended = await update(found?.outs as CloneState, wanted);
    const again = (await read(mended))?.outs;
    expect([again?.spec, again?.status]).toEqual([state.spec, state.status]);
  });

  it("of notes that the config has is seen", async () => {
    const state = await made(stopped({ description: "the first" }));
    await lab.control.patchConfig(9101, { set: { description: mark(1) } });
    const found = (await read(state))?.outs as CloneState;
    expect((await diff(found, stopped({ description: "the first" }))).changes).toBe(true);
  });

  it("a stopped clone is seen, and started", async () => {
    const state = await made();
    await lab.control.power(9101, "stopped");
    const seen = await read(state);
    const found = seen?.outs as CloneState;
    expect(found.status).toBe("stopped");
    // The engine shows it by the inputs.
    expect(seen?.inputs?.start).toBe(false);
    expect(await diff(found, inputs())).toMatchObject({ changes: true, reasons: [{ effect: "started", detail: "" }] });
    await update(found, inputs());
    expect((await vm())?.status).toBe("running");
  });

  it("a clone that runs although it need not is left running, and the state says so", async () => {
    const state = await made(stopped());
    await lab.control.power(9101, "running");
    const found = (await read(state))?.outs as CloneState;
    expect(found.status).toBe("running");
    expect((await diff(found, stopped())).changes).toBe(false);
    expect((await update(found, stopped({ onBoot: true }))).status).toBe("ready");
    expect((await vm())?.status).toBe("running");
  });

  it("a clone that is gone, or whose VMID somebody else has now, is gone", async () => {
    const state = await made();
    await lab.control.deleteVm(9101);
    expect(await read(state)).toBeUndefined();
    await lab.control.addVm({ vmid: 9101, config: { name: "mail" } });
    expect(await read(state)).toBeUndefined();
    const error = await errorOf(update(state, inputs(1, { onBoot: true })));
    expect(error).toContain('VMID 9101 is taken by VM "mail" on node pve1');
    expect(error).toContain("`pulumi refresh`");
  });

  it("a clone that was migrated by hand is found, changed and deleted where it is now", async () => {
    const state = await made(stopped());
    await lab.control.deleteVm(9101);
    const { description, smbios1 } = {
      description: mark(1),
      smbios1: withSerial("uuid=1", smbiosSerial("web-1.example.net")),
    };
    const moved = { name: "web-1", description, smbios1, ipconfig0: String(inputs().ipConfigs[0]) };
    await lab.control.addVm({ vmid: 9101, node: "pve2", config: moved });
    const found = (await read(state))?.outs as CloneState;
    expect(found.node).toBe("pve2");
    expect((await update(found, stopped())).node).toBe("pve2");
    expect((await diff(await update(state, stopped()), stopped())).changes).toBe(false);
    await remove(state);
    expect(await vm()).toBeUndefined();
  });

  it("of a node that does not answer is not taken for a clone that is gone", async () => {
    await lab.control.addVm({ vmid: 9101, node: "pve2", config: { name: "web-1", description: mark(1) } });
    const state = { ...(await made(stopped())), node: "pve2" };
    await lab.control.nodeOnline("pve2", false);
    expect((await read(state))?.outs).toEqual(state);
    expect(warned).toEqual([expect.stringContaining("node pve2 does not answer, so VM 9101 could not be looked at")]);
    const failed = await update(state, stopped({ onBoot: true }));
    expect(failed.error).toContain("node pve2 does not answer, so VM 9101 on it is left as it is");
    expect(failed.spec).toEqual(state.spec);
    expect((await failing(remove(state))).message).toContain("node pve2 does not answer");
    await lab.control.nodeOnline("pve2", true);
    await remove(state);
    expect(await vm()).toBeUndefined();
  });

  it("of a hundred clones takes one request for each, and one for their node", async () => {
    const states = await Promise.all(Array.from({ length: 100 }, (_, index) => made(stopped({ vmId: 9101 + index }))));
    await lab.control.clearRequests();
    beginRun({});
    const found = await Promise.all(states.map(read));
    expect(found.every((one) => one !== undefined)).toBe(true);
    const kinds = Object.groupBy(await asked(), (one) => (one.endsWith("/config") ? "config" : one));
    expect(kinds.config).toHaveLength(100);
    expect(Object.keys(kinds).filter((kind) => kind !== "config")).toEqual(["GET /nodes/pve1/qemu"]);
    expect(kinds["GET /nodes/pve1/qemu"]?.length).toBeLessThan(5);
  });
});

describe("an update", () => {
  it("deletes DNS servers and search domain that the config does not have any more", async () => {
    const state = await made();
    const { searchDomain: _, ...rest } = inputs(1, { nameservers: [] });
    expect((await update(state, rest)).pendingReboot).toEqual(["nameserver", "searchdomain"]);
    expect((await vm())?.config).not.toHaveProperty("nameserver");
    expect((await vm())?.config).not.toHaveProperty("searchdomain");
  });

  const elsewhere = { ipConfigs: ["ip=10.0.0.99/24,gw=10.0.0.1"] };

  it("of a running clone's address says that it takes a restart by PVE, and which options wait for it", async () => {
    const state = await made();
    const waiting = await update(state, inputs(1, elsewhere));
    expect(waiting).toMatchObject({ status: "ready", pendingReboot: ["ipconfig0"] });
    expect(warned).toEqual([
      expect.stringMatching(/^web-1 runs with its old ipconfig0 until .*rebootOnChange.*`qm reboot 9101` on pve1/),
    ]);
    expect((await vm())?.status).toBe("running");
    expect(waiting).toMatchObject({ address: "10.0.0.21" });

    const now = inputs(1, { ...elsewhere, rebootOnChange: true });
    expect((await diff(waiting, now)).changes).toBe(true);
    const rebooted = await update(waiting, now);
    expect(rebooted).not.toHaveProperty("pendingReboot");
    expect((await vm())?.status).toBe("running");
    expect((await vm())?.config.ipconfig0).toBe(elsewhere.ipConfigs[0]);
    expect((await vm())?.pending).toEqual({});
  });

  it("with a guest that does not shut down leaves the reboot pending, and says so", async () => {
    const state = await made();
    await lab.control.guest(9101, { acpi: false });
    const still = await update(state, inputs(1, { ...elsewhere, rebootOnChange: true, shutdownSeconds: 5 }));
    expect(still).toMatchObject({ status: "ready", pendingReboot: ["ipconfig0"] });
    expect(warned[0]).toMatch(/^web-1 was not rebooted: .*got timeout/);
  });

  it("of what PVE changes at once says nothing of a restart", async () => {
    const state = await made();
    await update(state, inputs(1, { name: "app-1", onBoot: true, tags: [], description: "new" }));
    expect(warned).toEqual([]);
    expect(await vm()).toMatchObject({ name: "app-1", config: { onboot: 1, tags: `fleet-${FLEET}` } });
    expect((await vm())?.config.description).toMatch(/^new\n\nproxmox-golden-fleet:/);
  });

  it("grows the disk, and never shrinks it", async () => {
    const state = await made(inputs(1, { start: false }));
    const grown = inputs(1, { start: false, diskGiB: 5, bootDisk: "scsi0" });
    const after = await update(state, grown);
    expect((await vm())?.config.scsi0).toContain("size=5G");
    const shrunk = inputs(1, { start: false, diskGiB: 4, bootDisk: "scsi0" });
    const { failures } = (await provider.check?.(config, after.spec, shrunk)) ?? {};
    expect(failures).toEqual([
      {
        property: "diskGiB",
        reason: "the disk of web-1 has 5 GiB, and PVE cannot shrink disks; expected at least that, found 4",
      },
    ]);
    expect((await provider.check?.(config, after.spec, grown))?.failures).toBeUndefined();
  });

  it("that fails is kept as failed, so that the next run tries it again", async () => {
    const state = await made();
    await lab.control.fail({
      method: "PUT",
      path: "/nodes/pve1/qemu/9101/config",
      status: 403,
      message: "Permission check failed",
    });
    const failed = await update(state, inputs(1, { onBoot: true }));
    expect(failed).toMatchObject({ status: "failed", node: "pve1", made: { template: "0123456789ab" } });
    // What PVE refused is not claimed, so that the next run tries it again.
    expect(failed.spec).toEqual(state.spec);
    expect((await diff(failed, inputs(1, { onBoot: true }))).changes).toBe(true);
    expect(failed.error).toContain("preflight lists the missing privileges");
    expect((await update(failed, inputs(1, { onBoot: true }))).status).toBe("ready");
    expect((await vm())?.config.onboot).toBe(1);
  });

  it("of mode, or of the template if the set says so, makes a new VM after the old one is gone", async () => {
    const state = await made(inputs(1, { start: false }));
    const full = await made(inputs(2, { start: false, full: true }));
    const replaces = async (olds: CloneState, change: Partial<CloneInputs>) =>
      (await diff(olds, { ...(olds.spec as CloneInputs), ...change })).replaces;
    expect(await replaces(state, { full: true })).toEqual(["full"]);
    expect(await replaces(full, { full: false })).toEqual(["full"]);
    expect(await replaces(full, { datastore: "ceph" })).toEqual([]);
    expect(await replaces(full, { templateDatastore: "ceph" })).toEqual([]);
    expect(await replaces(state, { template: "another", onTemplateChange: "replace" })).toEqual(["template"]);
    // For new clones alone.
    const changes = { template: "another", templateDatastore: "ceph", places: [{ node: "pve1", sourceVmId: 9001 }] };
    expect(await diff(state, { ...(state.spec as CloneInputs), ...changes })).toMatchObject({
      changes: false,
      deleteBeforeReplace: true,
    });
  });

  it("keeps what the clone was made from, also in its mark", async () => {
    const state = await made(inputs(1, { start: false }));
    const later = inputs(1, { start: false, template: "another", onBoot: true });
    expect((await update(state, later)).made?.template).toBe("0123456789ab");
    expect((await vm())?.config.description).toContain("content=0123456789ab-linked");
  });

  it("that only says how to treat the clone asks PVE nothing", async () => {
    const state = await made();
    await lab.control.clearRequests();
    const news = inputs(1, { shutdownSeconds: 7 });
    expect((await diff(state, news)).changes).toBe(true);
    const next = await update(state, news);
    expect(next).toEqual({ ...state, spec: { ...state.spec, shutdownSeconds: 7 } });
    const { shutdownSeconds: _, ...usual } = inputs();
    expect((await diff(await update(next, usual), usual)).changes).toBe(false);
    expect(await asked()).toEqual([]);
  });
});

describe("delete", () => {
  it("stops a running clone and takes its disks, and nothing else", async () => {
    const before = (await lab.control.state()).volumes;
    await remove(await made());
    const after = await lab.control.state();
    expect(after.vms["9101"]).toBeUndefined();
    expect(after.volumes).toEqual(before);
  });

  it.each([true, false])(
    "gives the guest time to shut down, and stops it when it does not (it listens: %s)",
    async (acpi) => {
      const state = await made(inputs(1, { shutdownSeconds: 20 }));
      await lab.control.guest(9101, { acpi });
      await remove(state);
      expect(await vm()).toBeUndefined();
      const asks = (await asked()).filter((one) => one.startsWith("POST") && one.includes("/status/"));
      expect(asks.at(-1)).toBe("POST /nodes/pve1/qemu/9101/status/shutdown");
      expect(said).toContain("shutting web-1 down, for up to 20 s");
    },
  );

  it("of a clone that is gone is done already", async () => {
    const state = await made();
    await lab.control.deleteVm(9101);
    await remove(state);
    expect(warned).toEqual([]);
  });

  it("of a VM that is not ours any more is refused, with the way out", async () => {
    const state = await made();
    await lab.control.patchConfig(9101, { set: { description: "adopted by Ann", smbios1: "uuid=2" } });
    const { message } = await failing(remove(state));
    expect(message).toContain(
      'VMID 9101 is taken by VM "web-1" on node pve1, which this stack did not make; it is not deleted',
    );
    expect(message).toContain("`pulumi refresh` takes the clone out of the state");
    expect((await vm())?.status).toBe("running");
  });

  it("of a clone that was never made leaves alone whatever is on its VMID", async () => {
    await lab.control.addVm({ vmid: 9101, config: { name: "mail" } });
    const state = await made();
    expect(state.status).toBe("failed");
    await remove(state);
    expect((await vm())?.name).toBe("mail");
  });

  it("of a protected clone fails before it is stopped, with the way out", async () => {
    const state = await made();
    await lab.control.patchConfig(9101, { set: { protection: 1 } });
    expect((await failing(remove(state))).message).toContain("qm set 9101 --protection 0");
    expect((await vm())?.status).toBe("running");
    await lab.control.patchConfig(9101, { delete: ["protection"] });
    await remove(state);
    expect(await vm()).toBeUndefined();
  });

  it("of a locked clone waits for the lock a while, then says who to ask", async () => {
    const state = await made();
    await lab.control.patchConfig(9101, { set: { lock: "backup" } });
    const error = await failing(remove(state));
    expect(error.message).toContain("VM is locked (backup)");
    expect(error.message).toContain("qm unlock");
    const waiting = remove(state);
    await lab.control.patchConfig(9101, { delete: ["lock"] });
    await waiting;
    expect(await vm()).toBeUndefined();
  });
});
