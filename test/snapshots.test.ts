import { afterAll, beforeAll, expect, it } from "vitest";
import { PveClient } from "../proxmox/client.ts";
import { listSnapshots } from "../proxmox/snapshots.ts";
import { openProject, type Project, type Run } from "./project.ts";

/** Snapshots that PVE takes before a clone is changed. */

let project: Project;
let client: PveClient;
const control = () => project.lab.control;
const vmOf = async (vmId: number) => (await control().vms())[vmId];
const up = () => project.pulumi("up", ["--skip-preview"]);
const stepsOf = ({ steps }: Run) => steps.flatMap(({ op, name }) => (name.startsWith("vm-") ? [`${op} ${name}`] : []));
const snapshotsOf = async (vmId: number) =>
  (await listSnapshots(client, { node: (await vmOf(vmId))?.node ?? "", vmId })).filter(
    ({ name }) => name !== "current",
  );
/** What was asked of PVE about snapshots since a request. */
const askedSince = async (since: number) =>
  (await control().requests(since)).api
    .filter(({ path }) => /\/(snapshot|feature)/.test(path))
    .map(({ method, path }) => `${method} ${path.replace(/^.*?\/qemu\//, "").replace(/fleet-[\w-]+/, "<ours>")}`);
const total = async () => (await control().requests()).total;

/** The set, with other keys. */
const set = (keys: object) =>
  project.configure(({ cloneSets }) => {
    Object.assign(cloneSets?.web ?? {}, keys);
  });

beforeAll(async () => {
  project = await openProject();
  const { lab } = project;
  const [id = "", secret = ""] = lab.rootToken.split("=");
  client = new PveClient({
    endpoint: lab.endpoint,
    tls: { caFile: lab.caFile, insecure: false },
    login: { kind: "token", id, secret },
  });
  await control().storage("files", {
    create: { type: "dir", path: "/var/lib/files", content: "images" },
  });
  await project.configure(({ templates }) => {
    Object.assign(templates?.noble ?? {}, { nodes: ["pve1", "pve2"] });
  });
  await set({ mode: "full", nodes: ["pve1"], snapshotBefore: "update", snapshotKeepDays: 7 });
});
afterAll(async () => {
  await client?.close();
  await project?.close();
});

it("is not taken of a clone that is made, and costs no request", async () => {
  const run = await up();
  expect(run.code, run.output).toBe(0);
  expect(stepsOf(await up())).toEqual([]);
  expect(await askedSince(0)).toEqual([]);
});

it("is told at preview, and taken once before hardware changes", async () => {
  await set({ cores: 4 });
  const preview = await project.pulumi("preview");
  expect(preview.output).toMatch(/~ +3 clones get a snapshot before that: web-1 … web-3 \(cores\)/);
  const since = await total();
  const run = await up();
  expect(run.code, run.output).toBe(0);
  expect((await askedSince(since)).filter((one) => one.includes("9101"))).toEqual([
    "GET 9101/feature",
    "GET 9101/snapshot",
    "POST 9101/snapshot",
  ]);
  for (const vmId of [9101, 9102, 9103]) {
    const [snapshot, ...more] = await snapshotsOf(vmId);
    expect(more).toEqual([]);
    expect(snapshot?.name).toMatch(/^fleet-\d{8}-\d{6}-cores$/);
    expect(snapshot?.description).toMatch(/^before a change by pulumi up: cores\n\nproxmox-golden-fleet: .* vmid=\d+ /);
    // It has what there was before.
    const had = await client.get<{ cores?: number }>(`/nodes/pve1/qemu/${vmId}/snapshot/${snapshot?.name}/config`);
    expect([had.cores, (await vmOf(vmId))?.pending.cores]).toEqual([2, 4]);
  }
});

it("is not taken again by a second run, nor before changes that cost nothing", async () => {
  const since = await total();
  await set({ rebootOnChange: false, tags: ["prod"] });
  for (const _ of [1, 2]) expect((await up()).code).toBe(0);
  expect(await askedSince(since)).toEqual([]);
  expect(await snapshotsOf(9101)).toHaveLength(1);
});

it("is taken before the reboot that a change waited for, once, however often the guest refuses it", async () => {
  await control().guest(9101, { acpi: false });
  await set({ rebootOnChange: true, shutdownSeconds: 5 });
  for (const _ of [1, 2]) {
    const run = await up();
    expect(run.code, run.output).toBe(0);
  }
  const names = async (vmId: number) => (await snapshotsOf(vmId)).map(({ name }) => name.replace(/-\d{8}-\d{6}-/, " "));
  expect(await names(9101)).toEqual(["fleet cores", "fleet reboot"]);
  expect(await names(9102)).toEqual(["fleet cores", "fleet reboot"]);
  expect((await vmOf(9102))?.config.cores).toBe(4);
  await control().guest(9101, { acpi: true });
  expect((await up()).code).toBe(0);
  expect(await names(9101)).toEqual(["fleet cores", "fleet reboot"]);
  expect(stepsOf(await up())).toEqual([]);
  const refresh = await project.pulumi("refresh");
  expect([refresh.code, refresh.changes.update], refresh.output).toEqual([0, undefined]);
});

it("goes when it is older than it is kept, when the next one is taken; other people's stay", async () => {
  const [ours] = await snapshotsOf(9101);
  await client.post("/nodes/pve1/qemu/9101/snapshot", { snapname: "fleet-mine", description: "before the upgrade" });
  await expect.poll(async () => (await snapshotsOf(9101)).length).toBe(3);
  for (const { name } of await snapshotsOf(9101)) await control().ageSnapshot(9101, name, 8);
  await control().ageSnapshot(9101, ours?.name ?? "", 6);
  await set({ memoryMiB: 4096 });
  const run = await up();
  expect(run.code, run.output).toBe(0);
  expect((await snapshotsOf(9101)).map(({ name }) => name)).toEqual([
    ours?.name,
    "fleet-mine",
    expect.stringMatching(/^fleet-\d{8}-\d{6}-memoryMiB$/),
  ]);
  expect(await snapshotsOf(9102)).toHaveLength(3);
});

it("stands in the way of a move of disks and of a migration: the error says so, and nothing is changed", async () => {
  await set({ datastore: "files", cores: 2 });
  const moved = await up();
  expect(moved.diagnostics).toContain("you can't move a disk with snapshots and delete the source");
  expect(moved.diagnostics).toContain("qm delsnapshot <VMID> <name>");
  expect((await vmOf(9101))?.config).toMatchObject({ cores: 4, scsi0: expect.stringMatching(/^local-lvm:/) });
  await project.configure(({ cloneSets }) => {
    const web = cloneSets?.web as { datastore?: string; nodes?: string[]; cores?: number };
    delete web.datastore;
    web.cores = 4;
    web.nodes = ["pve2"];
  });
  const migrated = await up();
  expect(migrated.diagnostics).toMatch(/snapshot exists/);
  expect(migrated.diagnostics).toContain(
    "PVE moves no disk that has snapshots, and migrates none from a local datastore",
  );
  expect((await vmOf(9101))?.node).toBe("pve1");
  await set({ nodes: ["pve1"] });
  expect((await up()).code).toBe(0);
  expect(stepsOf(await up())).toEqual([]);
});

it("that cannot be taken is an error before anything is changed", async () => {
  await project.configure(({ cloneSets, templates }) => {
    const { vmId: _, ...noble } = templates?.noble ?? { vmId: 0 };
    Object.assign(templates ?? {}, { plain: { ...noble, vmId: 9010 } });
    Object.assign(cloneSets ?? {}, {
      raw: {
        template: "plain",
        mode: "full",
        datastore: "files",
        snapshotBefore: "update",
        clones: [{ name: "raw-1", vmId: 9201, ip: "10.0.0.81/24", gateway: "10.0.0.1" }],
      },
    });
  });
  const made = await up();
  expect(made.code, made.output).toBe(0);
  await project.configure(({ cloneSets }) => {
    Object.assign(cloneSets?.raw ?? {}, { cores: 4, tags: ["prod"] });
  });
  const before = (await vmOf(9201))?.config;
  const run = await up();
  expect(run.diagnostics).toMatch(/could not take a snapshot of raw-1 .*VM 9201/);
  expect(run.diagnostics).toContain("cloneSets.raw.snapshotBefore: update asks for a snapshot before cores changes");
  expect((await vmOf(9201))?.config).toEqual(before);
  expect(await askedSince(0)).not.toContain("POST 9201/snapshot");
  await project.configure(({ cloneSets }) => {
    Reflect.deleteProperty(cloneSets?.raw ?? {}, "snapshotBefore");
  });
  expect((await up()).code).toBe(0);
  expect((await vmOf(9201))?.pending.cores).toBe(4);
});

it("needs its privilege, which preflight asks for", async () => {
  const role = ["VM.Allocate", "VM.Audit", "VM.Clone", "VM.Config.HWType", "VM.Config.Options", "VM.PowerMgmt"];
  await control().privileges("/vms", [...role, "VM.Config.Cloudinit", "VM.Config.CPU", "VM.Config.Memory"]);
  const { code, diagnostics } = await project.pulumi("preview");
  expect([code === 0, diagnostics]).toEqual([false, expect.stringContaining("VM.Snapshot")]);
  await control().privileges();
});

it("goes with its clone: nothing is left behind", async () => {
  const run = await project.pulumi("destroy");
  expect(run.code, run.output).toBe(0);
  const { vms, volumes } = await control().state();
  expect(Object.keys(vms).filter((vmId) => Number(vmId) >= 9000)).toEqual([]);
  const left = Object.values(volumes).flatMap((one) => Object.values(one).filter(({ vmid }) => vmid >= 9000));
  expect(left).toEqual([]);
});
