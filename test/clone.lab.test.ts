import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { smbiosSerial } from "../components/cloudInit/hostname.ts";
import { withSerial } from "../components/cloudInit/smbios.ts";
import { type Lab, startLab, type VmConfig } from "../lab/lab.ts";
import { type CloneInputs, type CloneState, pacing, provider } from "../providers/clone/provider.ts";
import { markText } from "../proxmox/ownership.ts";

/** Drives the clone provider against the lab, without the engine. */

const said: string[] = [];
const warned: string[] = [];
vi.mock("../providers/progress.ts", () => ({
  reporter: () => (text: string) => said.push(text),
  warner: () => (text: string) => warned.push(text),
}));

let lab: Lab;
let folder: string;
let config: { get(key: string): string | undefined };
const usualPause = pacing.pauseMs;

const TEMPLATE: VmConfig = {
  name: "noble",
  memory: "2048",
  cores: 2,
  onboot: 1,
  ide2: "none,media=cdrom",
  boot: "order=scsi0",
  cicustom: "user=local:snippets/noble.yaml",
  ipconfig0: "ip=dhcp",
  tags: "fleet-c1d2be9a",
  scsi0: "local-lvm:base-9000-disk-0,size=2G",
  scsi30: "local-lvm:vm-9000-cloudinit,media=cdrom",
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "golden-fleet-clone-"));
  lab = await startLab({ dir: join(folder, "lab"), timeScale: 0.01 });
  await lab.control.addVm({ vmid: 9000, template: true, config: TEMPLATE });
  await lab.control.putFile("local", "snippets", "noble.yaml", "#cloud-config\n");
  pacing.pauseMs = 20;
  const values: Record<string, string> = {
    cluster: JSON.stringify({ endpoint: lab.endpoint, tls: { caFile: lab.caFile }, node: "pve1" }),
    apiToken: lab.apiToken,
  };
  config = { get: (key) => values[key] };
});
afterAll(async () => {
  pacing.pauseMs = usualPause;
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await lab.control.clearFaults();
  await lab.control.storageLocks({ slots: 4, wait: 10 });
  await lab.control.timeScale(0.01);
  const { vms } = await lab.control.state();
  for (const vmId of Object.keys(vms).map(Number)) if (vmId > 9000) await lab.control.deleteVm(vmId);
  await lab.control.clearRequests();
  said.length = 0;
  warned.length = 0;
});

const FLEET = "c1d2be9a";
const mark = (name: string, vmId: number, fleetId = FLEET) =>
  markText({ fleetId, stack: "organization/golden/test", resource: `cloneSets.web.${name}`, vmId, content: "linked" });

/** Inputs of the clone `web-<n>` with the VMID 9100 + n. */
function inputs(n = 1, change: Partial<CloneInputs> = {}): CloneInputs {
  const vmId = 9100 + n;
  return {
    statusUrn: "urn:pulumi:test",
    node: "pve1",
    sourceVmId: 9000,
    vmId,
    name: `web-${n}`,
    hostname: `web-${n}.example.net`,
    full: false,
    datastore: "local-lvm",
    ipConfig: `ip=10.0.0.${20 + n}/24,gw=10.0.0.1`,
    nameservers: ["10.0.0.1"],
    searchDomain: "example.net",
    notes: mark(`web-${n}`, vmId),
    tags: [`fleet-${FLEET}`, "web"],
    onBoot: false,
    start: true,
    ...change,
  };
}

const create = (one = inputs()) => provider.create(config, one);
const made = async (one = inputs()): Promise<CloneState> => (await create(one)).outs;
const read = async (state: CloneState) => provider.read(config, String(state.vmId), state);
const update = (olds: CloneState, news: CloneInputs) => provider.update(config, String(news.vmId), olds, news);
const remove = (state: CloneState) => provider.delete(config, String(state.vmId), state);
const diff = (olds: CloneState, news: CloneInputs) => provider.diff(config, String(news.vmId), olds, news);
const vm = async (vmId = 9101) => (await lab.control.state()).vms[String(vmId)];
const asked = async () =>
  (await lab.control.requests()).api
    .filter(({ path }) => !path.includes("/tasks"))
    .map(({ method, path }) => `${method} ${path}`);

interface Failure {
  message: string;
  id?: string;
  properties?: CloneState & { __provider?: string };
}
const failing = (work: Promise<unknown>): Promise<Failure> =>
  work.then(
    () => expect.unreachable("it went well"),
    (error: Failure) => error,
  );

describe("a clone", () => {
  it("is made with three requests and runs", async () => {
    const { id, outs } = await create();
    expect(id).toBe("9101");
    expect(outs).toMatchObject({ name: "web-1", node: "pve1", running: true });
    expect(await vm()).toMatchObject({ name: "web-1", status: "running" });
    expect(await asked()).toEqual([
      "POST /nodes/pve1/qemu/9000/clone",
      "PUT /nodes/pve1/qemu/9101/config",
      "POST /nodes/pve1/qemu/9101/status/start",
    ]);
    expect(said).toEqual(["cloning VM 9000 to 9101", "configuring web-1", "starting web-1", "web-1: running"]);
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
      description: expect.stringContaining("resource=cloneSets.web.web-1 vmid=9101"),
      smbios1: expect.stringMatching(/^uuid=[0-9a-f-]{36},base64=1,serial=/),
    });
    const serial = /serial=([^,]+)/.exec(String(found.smbios1))?.[1] ?? "";
    expect(Buffer.from(serial, "base64").toString()).toBe("ds=nocloud;dsmode=net;h=web-1.example.net");
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
    expect(states.every(({ running }) => running)).toBe(true);
    const ended = (await lab.control.tasks()).filter(({ type, id }) => type === "qmclone" && id === "9000");
    expect(ended.filter(({ exitstatus }) => exitstatus !== "OK" && exitstatus !== undefined)).toEqual([]);
    expect(said).toContain("waiting for its turn: PVE takes 4 at a time on local-lvm");
    await Promise.all(states.map(remove));
    expect(Object.keys((await lab.control.state()).vms).filter((vmId) => Number(vmId) > 9000)).toEqual([]);
  });

  const busy = "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout";

  it("gets through where somebody else uses the datastore too: lock timeouts are tried again", async () => {
    await lab.control.holdStorageLock("local-lvm");
    const making = made();
    await expect.poll(() => said, { timeout: 10_000 }).toContain(`clone failed (${busy}); try 4 of 4`);
    await lab.control.releaseStorageLock("local-lvm");
    expect((await making).running).toBe(true);
    expect(said.filter((text) => text.includes(busy))).toHaveLength(3);
  });

  it("gives up after the fourth try, with all that a person needs", async () => {
    await lab.control.holdStorageLock("local-lvm");
    const error = await failing(create());
    await lab.control.releaseStorageLock("local-lvm");
    expect(error.id).toBeUndefined();
    expect(error.message).toMatch(
      /^could not make web-1, a linked clone of template 9000 \(node pve1, VM 9101, datastore local-lvm\)\n/,
    );
    expect(error.message).toContain(`PVE task qmclone 9000 failed: ${busy}`);
    expect(error.message).toContain("task log: ");
    expect(error.message).toContain("Something else holds the lock");
    expect(await vm()).toBeUndefined();
  });

  it("does not try again what PVE refuses", async () => {
    await lab.control.failTask("qmclone", "clone failed: no space left on device", 1);
    const error = await failing(create());
    expect(error.message).toContain("Make room on the datastore");
    expect((await asked()).filter((one) => one.endsWith("/clone"))).toHaveLength(1);
  });
});

describe("a clone that was begun", () => {
  it("by a run that was killed before it was configured is finished", async () => {
    const first = inputs();
    await create({ ...first, start: false });
    await lab.control.patchConfig(9101, { delete: ["ipconfig0", "tags"], set: { onboot: 1 } });
    const uuid = /uuid=([^,]+)/.exec(String((await vm())?.config.smbios1))?.[1];
    await create(first);
    expect(await vm()).toMatchObject({ status: "running", config: { ipconfig0: first.ipConfig, onboot: 0 } });
    expect((await vm())?.config.smbios1).toContain(`uuid=${uuid}`);
  });

  it("is finished without another clone if it runs already", async () => {
    const state = await made();
    expect(await made()).toEqual(state);
    expect((await lab.control.tasks()).some(({ exitstatus }) => /already running/.test(exitstatus ?? ""))).toBe(false);
  });

  it("by a killed run is waited for while its task runs", async () => {
    await lab.control.timeScale(0.3);
    const both = await Promise.all([made(), made(), made(inputs(2))]);
    expect(both.map(({ running }) => running)).toEqual([true, true, true]);
    expect(said).toContain("VM 9101 is being cloned by an earlier task: waiting for it");
  });

  it("whose task died is told with the two commands that remove it", async () => {
    await lab.control.timeScale(1);
    const running = create().catch((error) => error);
    await expect.poll(async () => (await lab.control.killTask({ type: "qmclone" })).length, { timeout: 5000 }).toBe(1);
    await running;
    const error = await failing(create());
    expect(error.message).toContain("on pve1 run: qm unlock 9101 && qm destroy 9101 --purge");
    expect((await vm())?.config.lock).toBe("clone");
  });

  it.each(["before", "after"] as const)("goes on when the answer to any change is lost %s it is done", async (when) => {
    await lab.control.cut("POST", "/nodes/pve1/qemu/9000/clone", when);
    await lab.control.cut("PUT", "/nodes/pve1/qemu/9101/config", when);
    await lab.control.cut("POST", "/nodes/pve1/qemu/9101/status/start", when);
    const state = await made();
    expect(state.running).toBe(true);
    expect(await vm()).toMatchObject({ status: "running", config: { ipconfig0: state.ipConfig } });
    await lab.control.cut("POST", "/nodes/pve1/qemu/9101/status/stop", when);
    await lab.control.cut("DELETE", "/nodes/pve1/qemu/9101", when);
    await remove(state);
    expect(await vm()).toBeUndefined();
  });

  it("that was made but did not start is kept in the state, and the next update starts it", async () => {
    await lab.control.failTask("qmstart", "start failed: QEMU exited with code 1", 1);
    const wanted = { ...inputs(), __provider: "exports.handler = …" } as CloneInputs;
    const error = await failing(create(wanted));
    expect(error.message).toMatch(/^could not configure and start web-1 \(node pve1, VM 9101/);
    expect(error.message).toContain("start failed: QEMU exited with code 1");
    expect(error).toMatchObject({
      id: "9101",
      properties: { vmId: 9101, running: false, __provider: "exports.handler = …" },
    });
    const kept = error.properties as CloneState;
    expect((await diff(kept, inputs())).changes).toBe(true);
    expect((await update(kept, inputs())).running).toBe(true);
    expect((await vm())?.status).toBe("running");
  });
});

describe("a VMID that is taken", () => {
  it("by somebody else's VM fails, and the VM stays as it is", async () => {
    await lab.control.addVm({ vmid: 9101, config: { name: "mail", memory: "512" } });
    const before = await vm();
    expect((await failing(create())).message).toContain(
      'VMID 9101 is taken by "mail" on node pve1, which this stack did not make; it is left alone. Choose another vmId',
    );
    expect(await vm()).toEqual(before);
  });

  it("by another stack's clone, or on another node, fails alike", async () => {
    await lab.control.addVm({ vmid: 9101, config: { name: "web-1", description: mark("web-1", 9101, "other") } });
    expect((await failing(create())).message).toContain("which belongs to stack organization/golden/test");
    await lab.control.addVm({ vmid: 9102, node: "pve2", config: { name: "db" } });
    expect((await failing(create(inputs(2)))).message).toContain('taken by "db" on node pve2');
  });

  it("by another clone of this stack fails: taking it over would end in its deletion", async () => {
    await create();
    const renamed = inputs(1, { name: "app-1", notes: mark("app-1", 9101) });
    expect((await failing(create(renamed))).message).toContain("which is cloneSets.web.web-1 of this stack");
    expect((await vm())?.name).toBe("web-1");
  });

  it("by a clone of the template that somebody made by hand fails", async () => {
    const description = markText({ fleetId: FLEET, stack: "s", resource: "templates.noble", vmId: 9000, content: "x" });
    await lab.control.addVm({ vmid: 9101, config: { name: "copy", description } });
    expect((await failing(create())).message).toContain("which this stack did not make");
  });
});

describe("drift", () => {
  it("there is none after create, whatever order PVE has things in", async () => {
    const wanted = inputs(1, { tags: ["web", `fleet-${FLEET}`], nameservers: ["10.0.0.1", "10.0.0.2"] });
    const state = await made(wanted);
    const found = await read(state);
    expect(found?.outs).toEqual(state);
    expect((await diff(found?.outs as CloneState, wanted)).changes).toBe(false);
  });

  it("notes that somebody added are none", async () => {
    const state = await made();
    await lab.control.patchConfig(9101, { set: { description: `${state.notes}\n\nask Ann` } });
    expect((await read(state))?.outs).toEqual(state);
  });

  const other = withSerial("uuid=1", smbiosSerial("other"));
  it.each([
    ["name", { name: "renamed" }, { name: "renamed" }],
    ["address", { ipconfig0: "ip=dhcp" }, { ipConfig: "ip=dhcp" }],
    ["DNS servers", { nameserver: "1.1.1.1" }, { nameservers: ["1.1.1.1"] }],
    ["search domain", { searchdomain: "lan" }, { searchDomain: "lan" }],
    ["tags", { tags: "fleet-c1d2be9a;mine;web" }, { tags: ["fleet-c1d2be9a", "mine", "web"] }],
    ["start with the node", { onboot: 1 }, { onBoot: true }],
    ["host name", { smbios1: other }, { hostname: "" }],
  ])("of the %s is seen, and mended by an update", async (_what, set, seen) => {
    const wanted = inputs(1, { start: false });
    const state = await made(wanted);
    await lab.control.patchConfig(9101, { set: set as VmConfig });
    const found = await read(state);
    expect(found?.outs).toEqual({ ...state, ...seen });
    expect(await diff(found?.outs as CloneState, wanted)).toMatchObject({ changes: true, replaces: [] });
    const mended = await update(found?.outs as CloneState, wanted);
    expect((await read(mended))?.outs).toEqual(state);
  });

  it("a stopped clone is seen, and started", async () => {
    const state = await made();
    await lab.control.power(9101, "stopped");
    const found = (await read(state))?.outs as CloneState;
    expect(found.running).toBe(false);
    expect((await diff(found, inputs())).changes).toBe(true);
    await update(found, inputs());
    expect((await vm())?.status).toBe("running");
  });

  it("a clone that runs although it need not is left running, and the state says so", async () => {
    const wanted = inputs(1, { start: false });
    const state = await made(wanted);
    await lab.control.power(9101, "running");
    const found = (await read(state))?.outs as CloneState;
    expect((await diff(found, wanted)).changes).toBe(false);
    expect((await update(found, { ...wanted, onBoot: true })).running).toBe(true);
  });

  it("a clone that is gone, or whose VMID somebody else has now, is gone", async () => {
    const state = await made();
    await lab.control.deleteVm(9101);
    expect(await read(state)).toBeUndefined();
    await lab.control.addVm({ vmid: 9101, config: { name: "mail" } });
    expect(await read(state)).toBeUndefined();
    const error = await failing(update(state, inputs(1, { onBoot: true })));
    expect(error.message).toContain('VMID 9101 is taken by "mail" on node pve1');
    expect(error.message).toContain("`pulumi refresh`");
  });

  it("a clone that was migrated is found, changed and deleted where it is now", async () => {
    const state = await made(inputs(1, { start: false }));
    const { description, smbios1 } = (await vm())?.config ?? {};
    await lab.control.deleteVm(9101);
    const moved = { name: "web-1", description, smbios1, ipconfig0: state.ipConfig } as VmConfig;
    await lab.control.addVm({ vmid: 9101, node: "pve2", config: moved });
    const found = (await read(state))?.outs as CloneState;
    expect(found.node).toBe("pve2");
    expect((await update(found, inputs(1, { start: false }))).node).toBe("pve2");
    expect((await diff(await update(state, inputs(1, { start: false })), inputs(1, { start: false }))).changes).toBe(
      false,
    );
    await remove(state);
    expect(await vm()).toBeUndefined();
  });

  it("of a node that does not answer is not taken for a clone that is gone", async () => {
    const state = await made();
    await lab.control.nodeOnline("pve1", false);
    const error = await failing(read(state));
    await lab.control.nodeOnline("pve1", true);
    expect(error.message).toMatch(/^could not look at web-1 \(node pve1, VM 9101\)/);
  }, 30_000);
});

describe("an update", () => {
  it("deletes DNS servers and search domain that the config does not have any more", async () => {
    const state = await made();
    const { searchDomain: _, ...rest } = inputs(1, { nameservers: [] });
    await update(state, rest);
    const { config: found, pending } = (await vm()) ?? {};
    for (const key of ["nameserver", "searchdomain"])
      expect([found?.[key], pending?.[key]]).toEqual([found?.[key], null]);
    await lab.control.power(9101, "stopped");
    await update({ ...rest, running: false }, rest);
    expect((await vm())?.config).not.toHaveProperty("nameserver");
    expect((await vm())?.config).not.toHaveProperty("searchdomain");
  });

  it("of a running clone's address says that it takes a restart by PVE, and which options wait for it", async () => {
    const state = await made();
    await update(state, inputs(1, { ipConfig: "ip=10.0.0.99/24,gw=10.0.0.1" }));
    expect(warned).toEqual([
      expect.stringMatching(/^web-1 runs with its old ipconfig0 until .*`qm reboot 9101` on pve1/),
    ]);
    expect((await vm())?.status).toBe("running");
  });

  it("of what PVE changes at once says nothing of a restart", async () => {
    const state = await made();
    await update(state, inputs(1, { onBoot: true, tags: [`fleet-${FLEET}`] }));
    expect(warned).toEqual([]);
    expect((await vm())?.config).toMatchObject({ onboot: 1, tags: `fleet-${FLEET}` });
  });

  it("that fails is kept as failed, so that the next run tries it again", async () => {
    const state = await made();
    await lab.control.fail({
      method: "PUT",
      path: "/nodes/pve1/qemu/9101/config",
      status: 403,
      message: "Permission check failed",
    });
    const error = await failing(update(state, inputs(1, { onBoot: true })));
    expect(error).toMatchObject({ id: "9101", properties: { running: true, onBoot: true } });
    expect(error.message).toContain("preflight lists the missing privileges");
  });

  it("of VMID or mode makes a new VM, after the old one is gone", async () => {
    const state = await made(inputs(1, { start: false }));
    expect(await diff(state, inputs(1, { vmId: 9105, start: false }))).toMatchObject({
      replaces: ["vmId"],
      deleteBeforeReplace: true,
    });
    expect(await diff(state, inputs(1, { full: true, start: false }))).toMatchObject({ replaces: ["full"] });
    // Another template, node or datastore is for new clones.
    const elsewhere = inputs(1, { sourceVmId: 9001, node: "pve2", datastore: "ceph", start: false });
    expect((await diff(state, elsewhere)).changes).toBe(false);
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

  it("of a clone that is gone is done already", async () => {
    const state = await made();
    await lab.control.deleteVm(9101);
    await remove(state);
    expect(warned).toEqual([]);
  });

  it("leaves a VM alone that is not ours any more, and says so", async () => {
    const state = await made();
    await lab.control.patchConfig(9101, { set: { description: "adopted by Ann" } });
    await remove(state);
    expect((await vm())?.status).toBe("running");
    expect(warned).toEqual([
      'VMID 9101 is taken by "web-1" on node pve1, which this stack did not make; it is left alone',
    ]);
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
