import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openProbe, type Probe } from "./probe.ts";

const setupMs = 240_000;
const testMs = 60_000;
const busy = "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout";
let probe: Probe;

beforeAll(async () => {
  probe = await openProbe();
  await probe.template(700);
  await probe.lab.control.storage("data", { create: { type: "dir", path: "/var/lib/data", content: "images" } });
  await probe.lab.control.addVm({
    vmid: 800,
    template: true,
    config: { scsi0: "data:800/base-800-disk-0.qcow2,size=2G" },
  });
}, setupMs);

afterAll(() => probe?.close());

afterEach(async () => {
  const { control } = probe.lab;
  await control.clearFaults();
  await control.timeScale(0.02);
  for (const vmid of Object.keys(await control.vms()).map(Number)) {
    if (vmid > 700 && vmid !== 800 && vmid < 900) await control.deleteVm(vmid);
  }
});

const clone = (newid: number, params = {}, source = 700) =>
  probe.run("POST", `/nodes/pve1/qemu/${source}/clone`, { newid, ...params });

const volumesOf = async (vmid: number, place = "pve1/local-lvm"): Promise<string[]> =>
  Object.keys((await probe.lab.control.state()).volumes[place] ?? {}).filter((name) => name.includes(`vm-${vmid}-`));

describe("a task that is made to fail", () => {
  test("is that of one VM, so often, whatever the others do; and leaves nothing behind", {
    timeout: testMs,
  }, async () => {
    await probe.lab.control.failTask("qmclone", busy, 2, 702);
    const rounds: string[][] = [];
    for (let round = 0; round < 3; round++) {
      const tasks = await Promise.all([701, 702, 703].map((base) => clone(base + 10 * round)));
      rounds.push(tasks.map(({ exitstatus }) => exitstatus));
      if (round === 0) expect((await probe.lab.control.vms())["702"]).toBeUndefined();
    }
    expect(rounds[0]).toEqual(["OK", busy, "OK"]);
    expect((await clone(702)).exitstatus).toBe(busy);
    expect((await clone(702)).exitstatus).toBe("OK");
  });

  test("five that fail at the same moment fail each with its text", { timeout: testMs }, async () => {
    await probe.lab.control.failTask("qmclone", busy, 3);
    const tasks = await Promise.all([701, 702, 703, 704, 705].map((newid) => clone(newid)));
    expect(tasks.filter(({ exitstatus }) => exitstatus === busy)).toHaveLength(3);
    expect(tasks.filter(({ exitstatus }) => exitstatus === "OK")).toHaveLength(2);
    expect(Object.keys(await probe.lab.control.vms()).filter((id) => /^70[1-5]$/.test(id))).toHaveLength(2);
  });
});

describe("a hiccup of pvedaemon", () => {
  const refused = "500 got no worker upid - start worker failed";
  const countTasks = async () => (await probe.lab.control.tasks()).length;

  test("starts nothing, and no list knows of it", { timeout: testMs }, async () => {
    const tasks = await countTasks();
    await probe.lab.control.hiccup({ method: "POST", path: "/nodes/{node}/qemu/{vmid}/clone", times: 2 });
    for (const newid of [701, 702])
      expect(await probe.refusal("POST", "/nodes/pve1/qemu/700/clone", { newid })).toBe(refused);
    expect(await countTasks()).toBe(tasks);
    expect(await probe.lab.control.vms()).not.toHaveProperty("701");
    expect((await clone(701)).exitstatus).toBe("OK");
    await probe.lab.control.hiccup({ method: "DELETE", path: "/qemu/701" });
    expect(await probe.refusal("DELETE", "/nodes/pve1/qemu/701")).toBe(refused);
    expect(await probe.lab.control.vms()).toHaveProperty("701");
    expect((await probe.run("DELETE", "/nodes/pve1/qemu/701")).exitstatus).toBe("OK");
  });

  test("may be about a task that runs all the same", { timeout: testMs }, async () => {
    await probe.lab.control.hiccup({ method: "POST", path: "/qemu/700/clone", started: true });
    expect(await probe.refusal("POST", "/nodes/pve1/qemu/700/clone", { newid: 701 })).toBe(refused);
    await expect
      .poll(async () => (await probe.lab.control.vms())["701"]?.name, { timeout: 10_000 })
      .toBe("Copy-of-VM-t700");
    expect((await probe.lab.control.tasks()).at(-1)).toMatchObject({ type: "qmclone", id: "700" });
  });
});

describe("a full datastore", () => {
  afterEach(async () => {
    for (const name of ["local-lvm", "data"]) await probe.lab.control.storage(name, { avail: 50 * 1024 ** 3 });
  });

  test("stops a linked clone where it makes its volume", { timeout: testMs }, async () => {
    await probe.lab.control.storage("local-lvm", { avail: 0 });
    expect((await clone(701)).exitstatus).toBe(
      "clone failed: clone image 'pve/base-700-disk-0' error:   Cannot create new thin volume, free space in thin pool pve/data reached threshold.",
    );
    await probe.lab.control.storage("data", { avail: 0 });
    expect((await clone(801, {}, 800)).exitstatus).toMatch(/^clone failed: unable to create image: .*No space left/);
    expect(await probe.lab.control.vms()).not.toHaveProperty("701");
    expect(await probe.lab.control.vms()).not.toHaveProperty("801");
  });

  test("stops a full clone while it copies", { timeout: testMs }, async () => {
    await probe.lab.control.volume("data", "800/base-800-disk-0.qcow2", { used: 1024 ** 3 });
    await probe.lab.control.storage("data", { avail: 1024 ** 2 });
    const task = await clone(801, { full: 1 }, 800);
    expect(task.exitstatus).toMatch(
      /^clone failed: copy failed: command '\/usr\/bin\/qemu-img convert .* failed: exit code 1$/,
    );
    expect(task.log.join("\n")).toContain("No space left on device");
    expect(await volumesOf(801, "pve1/data")).toEqual([]);
    expect(await probe.lab.control.vms()).not.toHaveProperty("801");
  });
});

describe("what a killed worker leaves", () => {
  beforeEach(async () => {
    await probe.lab.control.addVm({
      vmid: 710,
      template: true,
      config: {
        ...{ name: "two", description: "of the template" },
        ...{ scsi0: "local-lvm:base-710-disk-0,size=1G", scsi1: "local-lvm:base-710-disk-1,size=1G" },
      },
    });
  });

  /** Kills a clone with so many volumes made; gives its UPID. */
  async function killed(newid: number, volumes: number): Promise<string> {
    await probe.lab.control.hangTask("qmclone", { vmid: newid, volumes });
    const { data } = await probe.session.send("fleet-token", "POST", "/nodes/pve1/qemu/710/clone", {
      ...{ newid, description: "mine" },
    });
    await expect.poll(async () => (await volumesOf(newid)).length, { interval: 5, timeout: 10_000 }).toBe(volumes);
    expect(await probe.lab.control.killTask({ vmid: newid })).toEqual([data]);
    return String(data);
  }

  test("a config with a lock, and volumes: PVE's temporary one, or one with the drives that were done", {
    timeout: testMs,
  }, async () => {
    const { exitstatus, log } = await probe.session.ended(await killed(711, 1));
    expect(exitstatus).toBe("unexpected status");
    expect(log).toEqual([
      "creating a clone of VM 710 with ID 711",
      "create linked clone of drive scsi0 (local-lvm:base-710-disk-0)",
      '  Logical volume "vm-711-disk-0" created.',
    ]);
    const upid = await killed(712, 2);
    const { vms } = await probe.lab.control.state();
    expect(vms["711"]?.config).toEqual({ lock: "clone", description: " qmclone temporary file" });
    expect(vms["712"]?.config).toMatchObject({
      ...{ lock: "clone", name: "Copy-of-VM-two", description: "mine", scsi0: "local-lvm:vm-712-disk-0,size=1G" },
    });
    expect(vms["712"]?.config).not.toHaveProperty("scsi1");
    const listed = await probe.get<object[]>("/nodes/pve1/tasks", { typefilter: "qmclone", errors: 1 });
    expect(listed[0]).toMatchObject({ upid, id: "710", status: "unexpected status" });
    expect(await probe.refusal("POST", "/nodes/pve1/qemu/710/clone", { newid: 711 })).toBe(
      "500 unable to create VM 711: config file already exists",
    );
  });

  test("is gone with root@pam's password alone, without its nameless volumes", { timeout: testMs }, async () => {
    for (const newid of [711, 712]) await killed(newid, 1);
    const config = "/nodes/pve1/qemu/711/config";
    expect(await probe.refusal("PUT", config, { delete: "lock" })).toBe("500 only root can set 'lock' config");
    expect(await probe.refusal("PUT", config, { delete: "lock", skiplock: 1 }, "root-token")).toMatch(/^400/);
    expect(await probe.refusal("PUT", config, { delete: "lock", skiplock: 1 }, "root-password")).toBe("");
    expect((await probe.run("DELETE", "/nodes/pve1/qemu/711")).exitstatus).toBe("OK");
    expect((await probe.run("DELETE", "/nodes/pve1/qemu/712", { skiplock: 1 }, "root-password")).exitstatus).toBe("OK");
    for (const vmid of [711, 712]) expect(await volumesOf(vmid)).not.toEqual([]);
    expect((await clone(711, {}, 710)).exitstatus).toBe("OK");
    expect((await probe.lab.control.vms())["711"]?.config.scsi0).not.toContain("disk-0,");
  });
});

describe("somebody else's clone to the same VMID", () => {
  const temporary = { lock: "clone", description: " qmclone temporary file" };
  const mine = () => probe.refusal("POST", "/nodes/pve1/qemu/700/clone", { newid: 701 });
  const taken = "500 unable to create VM 701: config file already exists";

  test("runs: its VM is locked, and nobody can remove it", { timeout: testMs }, async () => {
    const upid = await probe.lab.control.clone({ source: 700, newid: 701, hang: true, name: "theirs" });
    await expect.poll(() => volumesOf(701), { interval: 5, timeout: 10_000 }).toHaveLength(1);
    expect((await probe.lab.control.vms())["701"]?.config).toEqual(temporary);
    expect(await mine()).toBe(taken);
    expect(await probe.get("/nodes/pve1/tasks", { source: "active" })).toMatchObject([
      { upid, type: "qmclone", id: "700", user: "mia@pam" },
    ]);
    const locked = "can't lock file '/var/lock/qemu-server/lock-701.conf' - got timeout";
    expect((await probe.run("DELETE", "/nodes/pve1/qemu/701", { skiplock: 1 }, "root-password")).exitstatus).toBe(
      locked,
    );
    expect(await probe.lab.control.resumeTask({ vmid: 701 })).toEqual([upid]);
    expect((await probe.session.ended(upid)).exitstatus).toBe("OK");
    expect((await probe.lab.control.vms())["701"]?.config).toMatchObject({ name: "theirs" });
  });

  test("is dead", { timeout: testMs }, async () => {
    const upid = await probe.lab.control.clone({ source: 700, newid: 701, user: "jane@corp.com@idp!tok", hang: true });
    await expect.poll(() => volumesOf(701), { interval: 5, timeout: 10_000 }).toHaveLength(1);
    await probe.lab.control.killTask({ upid });
    expect(await probe.session.ended(upid)).toMatchObject({
      exitstatus: "unexpected status",
      user: "jane@corp.com@idp!tok",
    });
    expect((await probe.lab.control.vms())["701"]?.config).toEqual(temporary);
    expect(await mine()).toBe(taken);
  });

  test("that fails leaves nothing but its text; its VM is there meanwhile", { timeout: testMs }, async () => {
    await probe.lab.control.timeScale(1);
    await probe.lab.control.failTask("qmclone", busy, 1, 701);
    const upid = await probe.lab.control.clone({ source: 700, newid: 701 });
    await expect.poll(async () => (await probe.lab.control.vms())["701"]?.config, { interval: 5 }).toEqual(temporary);
    expect(await probe.session.ended(upid)).toMatchObject({
      ...{ exitstatus: busy, log: ["creating a clone of VM 700 with ID 701", `TASK ERROR: ${busy}`] },
    });
    await probe.lab.control.timeScale(0.02);
    expect(await mine()).toBe("");
  });

  test("of two that were let in at the same moment the second fails on the lock", { timeout: testMs }, async () => {
    await probe.lab.control.hangTask("qmclone", { vmid: 701 });
    const answers = await Promise.all(
      [1, 2].map(() => probe.session.send("fleet-token", "POST", "/nodes/pve1/qemu/700/clone", { newid: 701 })),
    );
    const lost = "can't lock file '/var/lock/qemu-server/lock-701.conf' - got timeout";
    const running = async () => (await probe.lab.control.state()).running;
    await expect.poll(running, { timeout: 10_000 }).toHaveLength(1);
    const [winner = ""] = await running();
    const loser = answers.find(({ data }) => data !== winner);
    // It may come too late to be let in at all.
    if (loser?.status === 200) {
      const task = await probe.session.ended(String(loser.data));
      expect(task).toMatchObject({ exitstatus: lost, log: [`TASK ERROR: ${lost}`] });
    } else expect(`${loser?.status} ${loser?.reason}`).toBe(taken);
    await probe.lab.control.resumeTask();
    expect((await probe.session.ended(winner)).exitstatus).toBe("OK");
  });
});

describe("a node that loses its power", () => {
  test("answers 595 through another node, its tasks die and its guests stop", { timeout: testMs }, async () => {
    await probe.lab.control.addVm({ vmid: 720, node: "pve2", config: {}, status: "running" });
    await probe.template(721, { node: "pve2" });
    await probe.lab.control.timeScale(1);
    const { data } = await probe.session.send("fleet-token", "POST", "/nodes/pve2/qemu/721/clone", { newid: 722 });
    await probe.lab.control.nodeOnline("pve2", false);
    expect(await probe.refusal("GET", "/nodes/pve2/qemu/722/config")).toBe("595 No route to host");
    expect(await probe.refusal("GET", `/nodes/pve2/tasks/${encodeURIComponent(String(data))}/status`)).toMatch(/^595/);
    expect(await probe.get("/cluster/resources?type=vm")).toContainEqual(
      expect.objectContaining({ vmid: 720, status: "unknown" }),
    );
    await probe.lab.control.nodeOnline("pve2", true);
    expect((await probe.session.ended(String(data))).exitstatus).toBe("unexpected status");
    expect((await probe.lab.control.vms())["722"]?.config.lock).toBe("clone");
    expect((await probe.lab.control.vms())["720"]?.status).toBe("stopped");
  });

  test("is offline in the lists, its guests unknown; who may not ask gets 403, wrong parameters 595", {
    timeout: testMs,
  }, async () => {
    await probe.lab.control.addVm({ vmid: 723, node: "pve2", config: { name: "far", tags: "a" }, status: "running" });
    await probe.lab.control.nodeOnline("pve2", false);
    const list = (type: string) => probe.get<Record<string, unknown>[]>("/cluster/resources", { type });
    expect((await list("vm")).find(({ vmid }) => vmid === 723)).toEqual({
      ...{ id: "qemu/723", type: "qemu", vmid: 723, node: "pve2", status: "unknown", tags: "a" },
    });
    expect(await list("node")).toContainEqual(expect.objectContaining({ node: "pve2", status: "offline" }));
    expect(await probe.get("/nodes")).toContainEqual(expect.objectContaining({ node: "pve2", status: "offline" }));
    const store = (await list("storage")).find(({ id }) => id === "storage/pve2/local");
    expect(store).toMatchObject({ status: "unknown" });
    expect(store).not.toHaveProperty("maxdisk");
    const answer = await probe.session.send("fleet-token", "GET", "/nodes/pve2/qemu/723/status/current", {});
    expect(answer).toEqual({ status: 595, reason: "No route to host", message: null, errors: null, data: null });
    for (const path of ["/nodes/pve2/qemu", "/nodes/pve2/tasks", "/nodes/pve2/storage", "/nodes/pve2/qemu/999/config"])
      expect(await probe.refusal("GET", path)).toBe("595 No route to host");
    expect(await probe.refusal("DELETE", "/nodes/pve2/qemu/723")).toBe("595 No route to host");
    expect(await probe.refusal("PUT", "/nodes/pve2/qemu/723/config", { nonsense: 1 })).toBe("595 No route to host");
    await probe.lab.control.privileges("/vms", ["VM.Audit"]);
    expect(await probe.refusal("DELETE", "/nodes/pve2/qemu/723")).toMatch(/^403 .*VM.Allocate/);
    await probe.lab.control.privileges();
    expect(await probe.refusal("GET", "/nodes/pve2/nonsense")).toMatch(/^501/);
  });

  test("that has only just died is offline, and its guests still look alive to the cluster for a while", {
    timeout: testMs,
  }, async () => {
    await probe.lab.control.addVm({ vmid: 724, node: "pve2", config: { name: "far" }, status: "running" });
    await probe.lab.control.nodeOnline("pve2", false, { stillShown: true });
    const seen = async () =>
      (await probe.get<{ vmid: number; status: string; name?: string }[]>("/cluster/resources?type=vm")).find(
        ({ vmid }) => vmid === 724,
      );
    expect(await seen()).toMatchObject({ status: "running", name: "far" });
    expect(await probe.refusal("GET", "/nodes/pve2/qemu/724/status/current")).toMatch(/^595/);
    await probe.lab.control.nodeOnline("pve2", false);
    expect(await seen()).toMatchObject({ status: "unknown" });
  });
});
