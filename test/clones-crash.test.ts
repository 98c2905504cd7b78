import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LabState } from "../lab/lab.ts";
import { until, upUntil } from "./kill.ts";
import { openProject, type Project } from "./project.ts";

const SLOW = 1;
const FAST = 0.02;
const CLONES = 8;
/** A set takes three requests for each clone: clone, config, start; this leaves enough of them for each kill of a round. */
const LATEST = 6;

/** The same numbers again with the same seed (environment: `CRASH_SEED`). */
const seed = Number(process.env.CRASH_SEED ?? Date.now() % 100_000);
let turn = seed;
function random(): number {
  turn = (turn + 0x6d2b79f5) | 0;
  let mixed = Math.imul(turn ^ (turn >>> 15), turn | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
/** After so many changes somebody is killed: in turn everybody, and the host of the dynamic providers alone. */
const kills = Array.from({ length: 10 }, (_, index) => ({
  after: 1 + Math.floor(random() * LATEST),
  victim: index % 2 === 0 ? ("all" as const) : ("host" as const),
}));
/** Four sets, one after the other; each is killed two or three times before it may be finished. */
const rounds = [kills.slice(0, 3), kills.slice(3, 5), kills.slice(5, 8), kills.slice(8)].map((some, index) => ({
  firstVmId: 9101 + 20 * index,
  kills: some,
  what: some.map(({ after, victim }) => `${victim} after ${after}`).join(", "),
}));

let project: Project;
let before: LabState;
const state = () => project.lab.control.state();
const up = () => project.pulumi("up", ["--skip-preview"]);
const idsOf = (firstVmId: number) => Array.from({ length: CLONES }, (_, n) => firstVmId + n);
const want = (firstVmId: number) =>
  project.configure((config) => {
    config.cloneSets = {
      web: { template: "noble", count: CLONES, namePattern: "web-{n}", firstVmId, shutdownSeconds: 0 },
    };
  });

/** True once so many requests have changed clones of the set that begins with this VMID. */
const changes = (firstVmId: number, count: number) => async () => {
  const { api } = await project.lab.control.requests();
  const ids = idsOf(firstVmId);
  const isOne = (vmId: unknown) => ids.includes(Number(vmId));
  return (
    api.filter(
      ({ method, path, params }) =>
        method !== "GET" && (path.endsWith("/clone") ? isOne(params.newid) : isOne(/\/qemu\/(\d+)\//.exec(path)?.[1])),
    ).length >= count
  );
};

/** Just these clones run, nothing of others is left, and the VMs of others are as they were. */
async function expectOnly(ids: readonly number[]): Promise<void> {
  const { vms, volumes, running } = await state();
  expect(running).toEqual([]);
  expect(Object.keys(vms).map(Number).sort()).toEqual([100, 900, 9000, ...ids].sort());
  for (const vmId of ids)
    expect(vms[vmId]).toMatchObject({ status: "running", name: `web-${vmId - (ids[0] ?? 0) + 1}` });
  for (const vmId of ids) expect(vms[vmId]?.config).not.toHaveProperty("lock");
  const configs = JSON.stringify(Object.values(vms).map(({ config }) => config));
  const orphans = Object.values(volumes).flatMap((one) => Object.keys(one).filter((name) => !configs.includes(name)));
  expect(orphans).toEqual([]);
  for (const vmId of ["100", "900"]) expect(vms[vmId]).toEqual(before.vms[vmId]);
}

beforeAll(async () => {
  console.log(`CRASH_SEED=${seed}`);
  project = await openProject();
  // Whole sets are deleted here on purpose.
  project.env.GOLDEN_FLEET_ALLOW_DELETES = "100";
  before = await state();
  await project.configure((config) => {
    config.cloneSets = {};
  });
  expect((await up()).code).toBe(0);
});
afterAll(() => project?.close());

describe("clones of a run that is killed", () => {
  it.each(rounds)(
    "are finished by the next one, none twice and none left over: $what",
    async ({ firstVmId, kills }) => {
      await want(firstVmId);
      for (const { after, victim } of kills) {
        await project.lab.control.timeScale(SLOW);
        await project.lab.control.clearRequests();
        await upUntil(project, changes(firstVmId, after), victim);
      }
      await project.lab.control.timeScale(FAST);
      const run = await up();
      expect(run.code, run.output).toBe(0);
      expect(run.diagnostics).not.toMatch(/web-\d+ failed/);
      await expectOnly(idsOf(firstVmId));
      const preview = await project.pulumi("preview", ["--expect-no-changes"]);
      expect(preview.code, preview.output).toBe(0);
    },
  );
});

it("the engine's notes of what was interrupted go with a refresh", async () => {
  expect((await up()).diagnostics).toContain("pending operations from previous deployment");
  const run = await project.pulumi("refresh", ["--skip-preview", "--clear-pending-creates"]);
  expect([run.diagnostics, run.code]).toEqual(["", 0]);
  const again = await up();
  expect([again.diagnostics, again.code, again.steps]).toEqual(["", 0, []]);
});

describe("a clone whose worker dies on the node", () => {
  /** An `up` of another set, while which one clone task is killed; gives the run and the VMIDs with a lock that it left. */
  async function upWithDeath(firstVmId: number) {
    await want(firstVmId);
    await project.lab.control.timeScale(SLOW);
    let ended = false;
    const running = up().finally(() => {
      ended = true;
    });
    const clones = async () => (await state()).running.filter((upid) => upid.includes(":qmclone:"));
    const killed = async () => project.lab.control.killTask({ upid: (await clones())[0] ?? "" });
    await until(async () => ended || (await killed()).length === 1);
    const run = await running;
    await project.lab.control.timeScale(FAST);
    const { vms } = await state();
    return { run, locked: Object.keys(vms).filter((vmId) => vms[vmId]?.config.lock === "clone") };
  }

  it("fails alone; a token may not take its lock away, and the next run says what root has to do", async () => {
    const { run, locked } = await upWithDeath(9301);
    expect(run.code).toBe(0);
    expect(locked).toHaveLength(1);
    const [vmId] = locked;
    expect(run.diagnostics).toContain(`VM ${vmId}`);
    const next = await up();
    expect(next.code).toBe(0);
    expect(next.diagnostics).toContain(
      `VM ${vmId} is what a clone task of ours that was killed has left (lock: clone). Only root can remove it; on pve1 run: qm unlock ${vmId} && qm destroy ${vmId} --purge --destroy-unreferenced-disks 1`,
    );
    // What root does.
    await project.lab.control.deleteVm(Number(vmId));
    const last = await up();
    expect([last.diagnostics, last.code]).toEqual(["", 0]);
    expect(last.steps).toEqual([{ op: "update", name: `vm-${vmId}` }]);
    await expectOnly(idsOf(9301));
  });

  it("is removed and made again when the login is root's own", async () => {
    const { PROXMOX_VE_API_TOKEN: token = "", ...env } = project.env;
    delete project.env.PROXMOX_VE_API_TOKEN;
    Object.assign(project.env, { PROXMOX_VE_USERNAME: "root@pam", PROXMOX_VE_PASSWORD: project.lab.rootPassword });
    const { run, locked } = await upWithDeath(9401);
    expect(run.code, run.output).toBe(0);
    expect(locked).toHaveLength(1);
    const next = await up();
    expect(next.code).toBe(0);
    expect(next.diagnostics).not.toContain("failed");
    expect(next.steps.filter(({ op }) => op !== "delete")).toContainEqual({ op: "update", name: `vm-${locked[0]}` });
    await expectOnly(idsOf(9401));
    for (const key of Object.keys(project.env)) delete project.env[key];
    Object.assign(project.env, env, { PROXMOX_VE_API_TOKEN: token });
  });
});

it("destroy leaves nothing behind", async () => {
  const run = await project.pulumi("destroy");
  expect([run.diagnostics, run.code]).toEqual(["", 0]);
  const after = await state();
  expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
});
