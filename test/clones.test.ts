import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { until } from "./kill.ts";
import { openProject, type Project, type Run } from "./project.ts";

const LOCK = "clone failed: can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout";
const REFUSED = "clone failed: lvcreate 'pve/vm-disk' error: volume group is read-only";

/** What a guest agent tells of a guest that got its address by DHCP. */
const interfaces = [
  { name: "lo", "ip-addresses": [{ "ip-address": "127.0.0.1", "ip-address-type": "ipv4", prefix: 8 }] },
  {
    name: "eth0",
    "hardware-address": "bc:24:11:00:00:04",
    "ip-addresses": [
      { "ip-address": "10.0.0.77", "ip-address-type": "ipv4", prefix: 24 },
      { "ip-address": "2001:db8::77", "ip-address-type": "ipv6", prefix: 64 },
    ],
  },
  { name: "docker0", "ip-addresses": [{ "ip-address": "172.17.0.1", "ip-address-type": "ipv4", prefix: 16 }] },
];

type Task = Awaited<ReturnType<Project["lab"]["control"]["tasks"]>>[number];
type ListedClone = NonNullable<
  Extract<NonNullable<Project["config"]["cloneSets"]>[string], { clones: unknown }>
>["clones"][number];

/** True for tasks of a type that ended well. */
const isDone =
  (type: string) =>
  (task: Task): boolean =>
    task.type === type && task.exitstatus === "OK";

let project: Project;
let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;

const vms = () => project.lab.control.vms();
const idsOf = (all: object) => Object.keys(all).map(Number).sort();
/** What a preview tells of the fleet, below its first line. */
const storyOf = ({ output }: Run): string[] =>
  /What happens to the fleet\n((?: {4}.*\n)+)/
    .exec(output.slice(output.indexOf("Diagnostics:")))?.[1]
    ?.trimEnd()
    .split("\n")
    .map((line) => line.trim()) ?? [];
const clonesOf = async (set = "web") => ((await project.outputs()).clones as Record<string, CloneInfo[]>)[set] ?? [];
/** Steps of the engine for clones, by operation: `update vm-9103`. */
const steps = (run: Run) =>
  run.steps
    .filter(({ name }) => /^vm-\d+$/.test(name))
    .map(({ op, name }) => `${op} ${name}`)
    .sort();
const up = () => project.pulumi("up", ["--skip-preview"]);

beforeAll(async () => {
  project = await openProject();
  before = await project.lab.control.state();
});
afterAll(() => project?.close());
afterEach(() => project.lab.control.clearFaults());

describe("a set of clones", () => {
  const set = (change: Record<string, unknown>) =>
    project.configure((config) => {
      Object.assign(config.cloneSets?.web ?? {}, change);
    });

  it("that may have none yet is fine", async () => {
    await project.configure((config) => {
      config.cloneSets = {
        web: {
          template: "noble",
          count: 0,
          namePattern: "web-{n}",
          firstVmId: 9101,
          ipRange: "10.0.0.21-10.0.0.70/24",
          gateway: "10.0.0.1",
          shutdownSeconds: 0,
        },
        app: { template: "noble", clones: [] },
      };
    });
    const run = await up();
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(await project.outputs()).toMatchObject({ clones: { web: [], app: [] } });
  });

  it("goes on when one fails for good: a warning with its cause, all others are made, and the run succeeds", async () => {
    await set({ count: 10 });
    await project.lab.control.failTask("qmclone", LOCK, 2, 9105);
    await project.lab.control.failTask("qmclone", REFUSED, null, 9103);
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(run.diagnostics).toContain("web-3 failed; the other clones go on, and the next `pulumi up` tries it again");
    expect(run.diagnostics).toContain("could not make web-3, a linked clone of template 9000 (node pve1, VM 9103");
    expect(run.diagnostics).toContain(`PVE task qmclone 9000 failed: ${REFUSED}`);
    // A lock that was held twice is nobody's trouble.
    expect(run.diagnostics).not.toContain("web-5");
    expect(run.output).toContain("1 template, 10 clones: 9 ready, 1 failed");
    expect(run.output).toMatch(/Failed\n\s+web-3 \(VM 9103\)\n/);

    const clones = await clonesOf();
    expect(clones.map(({ vmId, status }) => `${vmId} ${status}`)).toEqual(
      Array.from({ length: 10 }, (_, n) => `${9101 + n} ${n === 2 ? "failed" : "ready"}`),
    );
    expect(clones[2]?.error).toContain(REFUSED);
    expect(clones[4]).toMatchObject({ name: "web-5", node: "pve1", address: "10.0.0.25" });
    const { ansibleInventory, sshConfig } = (await project.outputs()) as Record<string, string>;
    expect(ansibleInventory).toMatch(/^ +web-2:$/m);
    expect(ansibleInventory).not.toMatch(/^ +web-3:$/m);
    expect(sshConfig).toContain("Host web-2\n");
    expect(sshConfig).not.toContain("Host web-3\n");
    const all = await vms();
    expect(all["9103"]).toBeUndefined();
    expect(all["9105"]?.status).toBe("running");
  });

  it("tries just the failed one again with the next up", async () => {
    const run = await up();
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(run.steps).toEqual([{ op: "update", name: "vm-9103" }]);
    expect((await vms())["9103"]).toMatchObject({ name: "web-3", status: "running" });
    expect((await clonesOf())[2]).toEqual({
      name: "web-3",
      vmId: 9103,
      node: "pve1",
      status: "ready",
      address: "10.0.0.23",
      console: `${project.lab.endpoint}/#v1:0:=qemu%2F9103`,
    });
  });

  it("grows by the difference; with onError: fail a failed clone is an error, and the rest is made all the same", async () => {
    await set({ count: 12, onError: "fail" });
    await project.lab.control.failTask("qmclone", REFUSED, null, 9111);
    const run = await up();
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain(
      "1 of 12 clones failed: web-11 (VM 9111). The others are done; `pulumi up` tries just these again.",
    );
    expect(run.diagnostics).toContain(REFUSED);
    expect(steps(run)).toEqual(["create vm-9111", "create vm-9112"]);
    expect((await clonesOf()).slice(9).map(({ vmId, status }) => `${vmId} ${status}`)).toEqual([
      "9110 ready",
      "9111 failed",
      "9112 ready",
    ]);
    await project.lab.control.clearFaults();
    const next = await up();
    expect([next.diagnostics, next.code]).toEqual(["", 0]);
    expect(next.steps).toEqual([{ op: "update", name: "vm-9111" }]);
  });

  it("is left alone by a second run: nothing is asked about a clone", async () => {
    await project.lab.control.clearRequests();
    const run = await project.pulumi("up");
    expect([run.code, run.steps]).toEqual([0, []]);
    const { api } = await project.lab.control.requests();
    expect(api.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
    expect(api.filter(({ path }) => /\/qemu\/91\d\d/.test(path))).toEqual([]);
  });

  it("shrinks by the difference, also in a run that fails", async () => {
    const kept = await vms();
    await set({ count: 9 });
    await project.configure(({ cloneSets }) => {
      Object.assign(cloneSets?.app ?? {}, { onError: "fail", clones: [{ name: "app-1", vmId: 9201 }] });
    });
    await project.lab.control.failTask("qmclone", REFUSED, null, 9201);
    const run = await up();
    expect(run.code).not.toBe(0);
    expect(steps(run)).toEqual(["create vm-9201", "delete vm-9110", "delete vm-9111", "delete vm-9112"]);
    expect(idsOf(await vms())).toEqual(idsOf(kept).filter((vmId) => vmId < 9110));
    // A clone that was never made goes without a word.
    await project.configure(({ cloneSets }) => {
      Object.assign(cloneSets?.app ?? {}, { onError: "continue", clones: [] });
    });
    expect((await up()).diagnostics).toBe("");
  });

  it("of which one is locked by somebody else changes the others; it comes with the next run", async () => {
    await project.lab.control.patchConfig(9104, { set: { lock: "backup" } });
    await set({ description: "web servers", onError: "continue" });
    const run = await up();
    expect(run.code).toBe(0);
    expect(run.diagnostics).toMatch(/could not configure web-4 .*VM 9104[\s\S]*VM is locked \(backup\)/);
    expect((await clonesOf()).map(({ status }) => status).filter((status) => status !== "ready")).toEqual(["failed"]);
    await project.lab.control.patchConfig(9104, { delete: ["lock"] });
    const next = await up();
    expect(next.diagnostics).toBe("");
    expect(next.steps).toEqual([{ op: "update", name: "vm-9104" }]);
    expect((await vms())["9104"]?.config.description).toMatch(/^web servers\n/);
  });

  it("grows until the datastore is full: those that fit are made, each other one says why, and comes with more room", async () => {
    await set({ count: 20 });
    await project.lab.control.timeScale(1);
    const before = (await project.lab.control.tasks()).length;
    let ended = false;
    const running = up().finally(() => {
      ended = true;
    });
    const cloned = async () => (await project.lab.control.tasks()).slice(before).filter(isDone("qmclone")).length;
    await until(async () => ended || (await cloned()) >= 3);
    await project.lab.control.storage("local-lvm", { avail: 0 });
    const run = await running;
    expect(run.code).toBe(0);
    const failed = (await clonesOf()).filter(({ status }) => status === "failed");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThan(9);
    for (const { error } of failed) expect(error).toMatch(/free space in thin pool[\s\S]*Make room on the datastore/);
    await project.lab.control.timeScale(0.02);
    await project.lab.control.storage("local-lvm", { avail: 50 * 1024 ** 3 });
    const next = await up();
    expect([next.diagnostics, next.code]).toEqual(["", 0]);
    expect(steps(next)).toEqual(failed.map(({ vmId }) => `update vm-${vmId}`).sort());
  });

  it("is looked at by refresh with one request each; drift shows, and the next up mends just that", async () => {
    await project.lab.control.patchConfig(9101, { set: { ipconfig0: "ip=dhcp" } });
    await project.lab.control.deleteVm(9102);
    await project.lab.control.power(9103, "stopped");
    await project.lab.control.clearRequests();
    const refreshed = await project.pulumi("refresh", ["--skip-preview"]);
    expect([refreshed.diagnostics, refreshed.code]).toEqual(["", 0]);
    const { api } = await project.lab.control.requests();
    // Go is what the published provider is written in; it looks at the template.
    const asked = api.filter(({ agent }) => !/go-http/i.test(agent)).map(({ method, path }) => `${method} ${path}`);
    const ofClones = asked.filter((one) => /\/qemu\/91\d\d\//.test(one));
    expect(ofClones.sort()).toEqual(Array.from({ length: 20 }, (_, n) => `GET /nodes/pve1/qemu/${9101 + n}/config`));
    const others = asked.filter((one) => !ofClones.includes(one));
    expect(others.length, [...others, ...new Set(api.map(({ agent }) => agent))].join("\n")).toBeLessThan(8);

    const run = await up();
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(steps(run)).toEqual(["create vm-9102", "update vm-9101", "update vm-9103"]);
    const all = await vms();
    expect(all["9101"]?.config.ipconfig0).toBe("ip=10.0.0.21/24,gw=10.0.0.1");
    expect([9102, 9103].map((vmId) => all[vmId]?.status)).toEqual(["running", "running"]);
    expect((await clonesOf()).map(({ status }) => status)).toEqual(Array(20).fill("ready"));
  });

  it("is deleted with createClones: false, and the preview says how many VMs that is", async () => {
    await set({ createClones: false });
    const preview = await project.pulumi("preview");
    expect(preview.code).toBe(0);
    expect(preview.diagnostics).toContain("createClones is false: 20 VMs of cloneSets.web are going to be deleted");
    expect(preview.output).toContain("-  20 clones are deleted, with their disks: web-1 … web-20\n");
    expect(steps(preview)).toHaveLength(20);
    const run = await up();
    expect(run.code).toBe(0);
    expect(idsOf(await vms())).toEqual([100, 900, 9000]);
  });
});

describe("a listed clone", () => {
  const list = (clones: ListedClone[], change: Record<string, unknown> = {}) =>
    project.configure((config) => {
      config.cloneSets = { app: { template: "noble", shutdownSeconds: 0, clones, ...change } };
    });
  const clone = (n: number, change: Partial<ListedClone> = {}): ListedClone => ({
    name: `app-${n}`,
    vmId: 9200 + n,
    ip: `10.0.0.${40 + n}/24`,
    gateway: "10.0.0.1",
    ...change,
  });

  it("that need not run is stopped", async () => {
    await list(
      [1, 2, 3, 4].map((n) => clone(n)),
      { start: false },
    );
    const run = await up();
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect((await clonesOf("app")).map(({ status }) => status)).toEqual(Array(4).fill("stopped"));
  });

  it("whose agent never answers is a warning with the likely cause; the others tell their addresses", async () => {
    await project.lab.control.guest(9203, { agentAfter: "never" });
    await list([clone(1), clone(2), clone(3), clone(4, { ip: "dhcp", gateway: undefined })], {
      waitFor: "agent",
      readyTimeoutSeconds: 20,
    });
    await project.lab.control.guest(9204, { agent: { "network-get-interfaces": interfaces } });
    const run = await up();
    expect(run.code).toBe(0);
    expect(run.diagnostics).toContain(
      "app-3 is not ready: after 20 s its guest agent did not answer; is qemu-guest-agent",
    );
    expect(run.diagnostics).not.toMatch(/app-[124]/);
    const [one, , three, four] = await clonesOf("app");
    expect(one).toMatchObject({ status: "ready", address: "10.0.0.41", addresses: { eth0: ["10.0.0.41"] } });
    expect(three).toMatchObject({ status: "running", error: expect.stringContaining("guest agent") });
    expect(four).toMatchObject({
      status: "ready",
      address: "10.0.0.77",
      addresses: { eth0: ["10.0.0.77", "2001:db8::77"] },
    });
    expect(run.output).toContain("1 template, 4 clones: 3 ready, 1 not ready");
    // What was not ready is looked at again, and nothing else.
    const again = await up();
    expect([again.code, again.steps]).toEqual([0, [{ op: "update", name: "vm-9203" }]]);
  });

  const changed = () => [
    clone(2, { name: "db-2" }),
    clone(3, { cores: 4, memoryMiB: 1024, tags: ["big"], nics: [{ vlan: 5 }] }),
    clone(4, { ip: "10.0.0.99/24", description: "the *last* one", diskGiB: 30 }),
  ];

  it("keeps its VM and its MAC address through every change; the first of the list goes without the others", async () => {
    const old = await vms();
    const mac = (vmId: number, all: typeof old) => /virtio=([0-9A-F:]+)/.exec(String(all[vmId]?.config.net0))?.[1];
    await list(changed());
    const preview = await project.pulumi("preview");
    expect(preview.diagnostics).toMatch(/^clones-lost: .* app-1 \(VM 9201\)\s*$/);
    expect(steps(preview)).toEqual(["delete vm-9201", "update vm-9202", "update vm-9203", "update vm-9204"]);
    expect(preview.output).toMatch(/vm-9202 update \[diff: .*~hostname,name/);
    expect(preview.output).toMatch(/vm-9203 update \[diff: .*\+.*cores.*memoryMiB.*nics.*~.*tags/);
    expect(preview.output).toMatch(/vm-9204 update \[diff: .*\+.*description.*diskGiB.*~ipConfigs/);
    expect(storyOf(preview)).toEqual([
      "-  1 clone is deleted, with its disks: app-1",
      "~  1 clone is changed in place: db-2 (name, host name)",
      "~  1 clone is changed in place: app-3 (nics, tags, cores, memoryMiB)",
      "~  1 clone is changed in place: app-4 (addresses, description, diskGiB)",
      "~  1 clone gets changes into its guest later: db-2 (host name at the next start by Proxmox VE (a reboot from inside the guest is not enough))",
      "~  1 clone gets changes into its guest later: app-4 (addresses at the next start by Proxmox VE (a reboot from inside the guest is not enough))",
      "1 template stays as it is",
    ]);
    const run = await up();
    expect(run.code).toBe(0);
    const all = await vms();
    expect(all["9201"]).toBeUndefined();
    for (const vmId of [9202, 9203, 9204]) {
      expect(mac(vmId, all)).toBeDefined();
      expect([mac(vmId, all), all[vmId]?.status]).toEqual([mac(vmId, old), "running"]);
    }
    expect(all["9202"]?.name).toBe("db-2");
    expect({ ...all["9203"]?.config, ...all["9203"]?.pending }).toMatchObject({
      cores: 4,
      memory: "1024",
      tags: expect.stringMatching(/^big;fleet-/),
      net0: expect.stringContaining("tag=5"),
    });
    expect(all["9204"]?.config).toMatchObject({
      ipconfig0: "ip=10.0.0.99/24,gw=10.0.0.1",
      description: expect.stringMatching(/^the \*last\* one\n/),
      scsi0: expect.stringContaining("size=30G"),
    });
    const [two, three, four] = await clonesOf("app");
    expect(two?.pendingReboot).toEqual(["hostname"]);
    expect(three?.pendingReboot).toEqual(expect.arrayContaining(["cores", "memory"]));
    // The guest has its old address until then.
    expect(four).toMatchObject({ address: "10.0.0.77", pendingReboot: ["ipconfig0"] });
    expect(run.diagnostics).toContain("db-2 runs with its old hostname");
    expect(run.diagnostics).toMatch(/app-3 runs with its old .*cores, memory/);
    expect(run.diagnostics).toContain("app-4 runs with its old ipconfig0");
    expect(run.output).toContain("Waiting for a reboot");
    const later = await project.pulumi("preview");
    expect(storyOf(later)).toContain("~  1 clone waits for a reboot, and is looked at again: app-4 (old ipconfig0)");
  });

  it("is rebooted for what waits for it once the set says so", async () => {
    await list(changed(), { rebootOnChange: true });
    const tasks = (await project.lab.control.tasks()).length;
    const run = await up();
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(steps(run)).toEqual(["update vm-9202", "update vm-9203", "update vm-9204"]);
    const reboots = (await project.lab.control.tasks()).slice(tasks).filter(isDone("qmreboot"));
    expect(reboots.map(({ id }) => id).sort()).toEqual(["9202", "9203", "9204"]);
    for (const one of await clonesOf("app")) expect(one).not.toHaveProperty("pendingReboot");
    const all = await vms();
    expect(all["9203"]).toMatchObject({ config: { cores: 4, memory: "1024" }, pending: {} });
  });

  it("gets the template's hardware again when its own is taken out of the config", async () => {
    await list([clone(2, { name: "db-2" }), clone(3), clone(4, { diskGiB: 30 })], { rebootOnChange: true });
    const run = await up();
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    const all = await vms();
    const { cores, memory, net0 } = all["9000"]?.config ?? {};
    expect(all["9203"]).toMatchObject({
      config: { cores, memory, tags: expect.stringMatching(/^fleet-/) },
      pending: {},
    });
    expect(String(all["9203"]?.config.net0).replace(/=[0-9A-F:]{17}/, "")).toBe(
      String(net0).replace(/=[0-9A-F:]{17}/, ""),
    );
  });

  it("does not shrink: the preview refuses it, and says what is there", async () => {
    await list([clone(2, { name: "db-2" }), clone(3), clone(4, { diskGiB: 25 })]);
    const preview = await project.pulumi("preview");
    expect(preview.code).not.toBe(0);
    expect(preview.diagnostics).toContain(
      "the disk of app-4 has 30 GiB, and PVE cannot shrink disks; expected at least that, found 25",
    );
  });
});

it("destroy leaves the cluster as it was", async () => {
  const run = await project.pulumi("destroy");
  expect([run.diagnostics, run.code]).toEqual(["", 0]);
  const after = await project.lab.control.state();
  expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
  expect(idsOf(after.vms)).toEqual([100, 900]);
});
