import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

type Task = Awaited<ReturnType<Project["lab"]["control"]["tasks"]>>[number];

/** The most clones of the set that were missing or stopped at the same time, as the tasks of a run tell. */
function mostUnavailable(tasks: readonly Task[]): number {
  let away = 0;
  let most = 0;
  for (const { type, id } of tasks) {
    if (type === "qmdestroy" && Number(id) > 9100) away++;
    if (type === "qmstart" && Number(id) > 9100) away--;
    most = Math.max(most, away);
  }
  return most;
}

describe("clones of a template that becomes another", () => {
  let project: Project;
  const vms = async () => (await project.lab.control.state()).vms;
  /** Steps of the engine by operation, of the clones alone. */
  const cloneSteps = (run: { steps: { op: string; name: string }[] }) =>
    run.steps.filter(({ name }) => /^vm-\d+$/.test(name)).map(({ op, name }) => `${op} ${name}`);
  const template = (change: Record<string, unknown>) =>
    project.configure((config) => {
      Object.assign(config.templates?.noble ?? {}, change);
    });
  const set = (change: Record<string, unknown>) =>
    project.configure((config) => {
      Object.assign(config.cloneSets?.web ?? {}, change);
    });

  beforeAll(async () => {
    project = await openProject();
    await project.configure((config) => {
      config.cloneSets = {
        web: { template: "noble", count: 4, namePattern: "web-{n}", firstVmId: 9101, shutdownSeconds: 0 },
      };
    });
    expect((await project.pulumi("up")).code).toBe(0);
  });
  afterAll(() => project?.close());

  it("stay as they are by default: the preview of another template says no word of them", async () => {
    await project.configure((config) => {
      config.templates = {
        ...config.templates,
        jammy: { ...config.templates?.noble, vmId: 9001, memoryMiB: 1024 } as never,
      };
    });
    await set({ template: "jammy" });
    const preview = await project.pulumi("preview");
    expect(preview.diagnostics).toBe("");
    expect(cloneSteps(preview)).toEqual([]);
    await set({ template: "noble" });
    await project.configure((config) => {
      delete config.templates?.jammy;
    });
  });

  it("move to the new one that is made beside the old, one after the other, and the old one goes last", async () => {
    await set({ onTemplateChange: "replace" });
    await template({ vmId: 9010, memoryMiB: 1024 });
    const preview = await project.pulumi("preview");
    expect(preview.diagnostics).toBe("");
    for (const id of [9101, 9102, 9103, 9104]) expect(cloneSteps(preview)).toContain(`replace vm-${id}`);
    for (const line of [
      "+  1 template is made: noble (VM 9010)\n",
      "+- 4 clones are made anew, and their disks are lost: web-1 … web-4 (another template)\n",
      "-  1 template is deleted, with its disks: noble (VM 9000)\n",
    ])
      expect(preview.output).toContain(line);

    const before = (await project.lab.control.tasks()).length;
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.diagnostics).toBe("");
    expect(run.code).toBe(0);
    const tasks = (await project.lab.control.tasks()).slice(before);
    expect(mostUnavailable(tasks)).toBe(1);
    const sources = tasks.filter(({ type }) => type === "qmclone").map(({ id }) => id);
    expect(sources).toEqual(["9010", "9010", "9010", "9010"]);
    const all = await vms();
    expect(all["9000"]).toBeUndefined();
    expect(all["9010"]?.config).toMatchObject({ template: 1, memory: "1024" });
    for (const id of [9101, 9102, 9103, 9104])
      expect(all[id]).toMatchObject({ status: "running", config: { memory: "1024" } });
    expect((await project.pulumi("up")).steps).toEqual([]);
  });

  it("stop moving when one does not get well; the rest stays as it was, and the next run goes on", async () => {
    await template({ vmId: 9020, memoryMiB: 1536 });
    await set({ maxUnavailable: 2 });
    const start = "/nodes/{node}/qemu/{vmid}/status/start";
    const message = "start failed: QEMU exited with code 1";
    await project.lab.control.fail({ method: "POST", path: start, status: 500, message, times: null });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain(message);
    expect(run.diagnostics).toContain("it is left as it is, because the rollout has stopped");
    const halfway = await vms();
    const memory = [9101, 9102, 9103, 9104].map((id) => halfway[id]?.config.memory);
    expect(memory.filter((one) => one === "1536")).toHaveLength(2);
    expect(memory.filter((one) => one === "1024")).toHaveLength(2);
    for (const vm of Object.values(halfway).filter(({ config }) => config.memory === "1024" && !config.template))
      expect(vm.status).toBe("running");

    await project.lab.control.clearFaults();
    const next = await project.pulumi("up", ["--skip-preview"]);
    expect(next.diagnostics).toBe("");
    const all = await vms();
    for (const id of [9101, 9102, 9103, 9104])
      expect(all[id]).toMatchObject({ status: "running", config: { memory: "1536" } });
    expect(Object.keys(all).sort()).toEqual(["100", "900", "9020", "9101", "9102", "9103", "9104"]);
  });

  it("of full clones can keep its VMID; a change of mode is a rollout, too", async () => {
    await set({ mode: "full", maxUnavailable: 1 });
    const before = (await project.lab.control.tasks()).length;
    expect((await project.pulumi("up", ["--skip-preview"])).diagnostics).toBe("");
    expect(mostUnavailable((await project.lab.control.tasks()).slice(before))).toBe(1);
    await template({ memoryMiB: 1024 });
    const run = await project.pulumi("up");
    expect(run.code).toBe(0);
    const all = await vms();
    for (const id of [9101, 9102, 9103, 9104])
      expect(all[id]).toMatchObject({ status: "running", config: { memory: "1024" } });
  });

  it("leave nothing behind", async () => {
    expect((await project.pulumi("destroy")).code).toBe(0);
    expect(Object.keys(await vms()).sort()).toEqual(["100", "900"]);
  });
});
