import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project, type Run } from "./project.ts";

/** What gets another name keeps its VM. */

type Task = Awaited<ReturnType<Project["lab"]["control"]["tasks"]>>[number];

const ended = (tasks: readonly Task[], type: string) => tasks.filter((task) => task.type === type).length;
const cloneSteps = (run: Run) =>
  run.steps.filter(({ name }) => /^vm-\d+$/.test(name)).map(({ op, name }) => `${op} ${name}`);

describe("a clone", () => {
  let project: Project;
  const control = () => project.lab.control;
  /** What tells one VM from another that is made in its place. */
  const identities = async () =>
    Object.fromEntries(
      Object.entries(await control().vms())
        .filter(([vmId]) => Number(vmId) > 9000)
        .map(([vmId, { config }]) => [vmId, `${config.vmgenid} ${config.scsi0}`]),
    );
  /** Makes a change of the config; the VMs and their disks must outlive it. */
  async function keepsItsVm(change: Parameters<Project["configure"]>[0]): Promise<{ preview: Run; run: Run }> {
    const before = await identities();
    const tasks = await control().tasks();
    await project.configure(change);
    const preview = await project.pulumi("preview", ["--diff"]);
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code, run.output).toBe(0);
    expect(await identities()).toEqual(before);
    const since = (await control().tasks()).slice(tasks.length);
    expect([ended(since, "qmclone"), ended(since, "qmdestroy")]).toEqual([0, 0]);
    return { preview, run };
  }

  beforeAll(async () => {
    project = await openProject();
    await project.configure(({ cloneSets }) => {
      Object.assign(cloneSets?.web ?? {}, { shutdownSeconds: 0 });
    });
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
  });
  afterAll(() => project?.close());

  it("keeps its VM when its set gets another name: its mark is updated, and preview says so", async () => {
    const { preview, run } = await keepsItsVm((config) => {
      config.cloneSets = { frontend: config.cloneSets?.web as never };
    });
    expect(preview.output).toContain(
      "~  3 clones move to another set, with their VMs: web-1 … web-3 (from cloneSets.web to cloneSets.frontend)",
    );
    expect(cloneSteps(run).sort()).toEqual(["update vm-9101", "update vm-9102", "update vm-9103"]);
    for (const vmId of [9101, 9102, 9103]) {
      expect((await control().vms())[vmId]?.config.description).toContain("resource=cloneSets.frontend");
    }
    expect((await project.pulumi("up", ["--skip-preview"])).steps).toEqual([]);
  });

  it("keeps its VM when its entry moves to another set", async () => {
    const { run } = await keepsItsVm((config) => {
      const { frontend } = config.cloneSets as unknown as { frontend: { clones: object[] } };
      const { clones, ...set } = frontend;
      config.cloneSets = {
        frontend: { ...set, clones: clones.slice(1) } as never,
        backend: { ...set, clones: clones.slice(0, 1) } as never,
      };
    });
    expect(cloneSteps(run)).toEqual(["update vm-9101"]);
    expect((await control().vms())[9101]?.config.description).toContain("resource=cloneSets.backend");
    const { clones } = (await project.outputs()) as { clones: Record<string, { name: string }[]> };
    expect(clones.backend?.map(({ name }) => name)).toEqual(["web-1"]);
  });

  it("keeps its VM through `pulumi stack rename`, and a rollout keeps its limit afterwards", async () => {
    await project.renameStack("production");
    await project.configure();
    await project.configure((config) => {
      for (const set of Object.values(config.cloneSets ?? {})) Object.assign(set, { onTemplateChange: "replace" });
      Object.assign(config.templates?.noble ?? {}, { vmId: 9010, memoryMiB: 1024 });
    });
    const before = (await control().tasks()).length;
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code, run.output).toBe(0);
    // Of two clones of the set never both are away.
    let away = 0;
    for (const { type, id } of (await control().tasks()).slice(before)) {
      if (id !== "9102" && id !== "9103") continue;
      if (type === "qmdestroy") away++;
      if (type === "qmstart") away--;
      expect(away).toBeLessThan(2);
    }
    expect(cloneSteps(run).filter((step) => step.startsWith("delete-replaced"))).toHaveLength(3);
  });
});

describe("a run in which deletions fail", () => {
  let project: Project;
  beforeAll(async () => {
    project = await openProject();
    project.env.GOLDEN_FLEET_ALLOW_DELETES = "18";
    await project.configure((config) => {
      config.cloneSets = {
        web: {
          template: "noble",
          count: 18,
          namePattern: "web-{n}",
          firstVmId: 9101,
          shutdownSeconds: 0,
          start: false,
        },
      };
    });
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
  });
  afterAll(() => project?.close());

  it("deletes all others all the same: one protected VM of eighteen is what is left", async () => {
    const { control } = project.lab;
    await control.patchConfig(9103, { set: { protection: 1 } });
    await project.configure((config) => {
      config.cloneSets = {};
    });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("VM 9103 is protected");
    expect(Object.keys(await control.vms()).filter((vmId) => Number(vmId) > 9100)).toEqual(["9103"]);
    await control.patchConfig(9103, { delete: ["protection"] });
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
    expect(Object.keys(await control.vms()).filter((vmId) => Number(vmId) > 9100)).toEqual([]);
  });
});

describe("a cluster that fails in the middle of a run", () => {
  let project: Project;
  beforeAll(async () => {
    project = await openProject();
    await project.configure((config) => {
      config.cloneSets = {};
    });
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
  });
  afterAll(() => project?.close());

  it("ends the run with an error, said once; the next run makes what is missing", async () => {
    const { control } = project.lab;
    await project.configure((config) => {
      config.cloneSets = {
        web: {
          template: "noble",
          count: 30,
          namePattern: "web-{n}",
          firstVmId: 9101,
          shutdownSeconds: 0,
          start: false,
        },
      };
    });
    await control.justBefore({ method: "POST", path: "/nodes/pve1/qemu/9000/clone" }, "quorum", {
      quorate: false,
    });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).not.toBe(0);
    expect(run.diagnostics.match(/could not make web-\d+/g), run.diagnostics).toHaveLength(1);
    expect(run.diagnostics).toContain("lost quorum");
    expect(run.diagnostics).not.toContain("not tried");
    await control.quorum(true);
    const next = await project.pulumi("up", ["--skip-preview"]);
    expect([next.code, next.diagnostics]).toEqual([0, ""]);
    expect(Object.keys(await control.vms()).filter((vmId) => Number(vmId) > 9100)).toHaveLength(30);
  });
});
