import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

/** "500 got no worker upid", a hiccup, is what PVE's daemon says now and then when it is busy; the task may run all the same. */
describe("trouble while the plugin creates a template's VM", () => {
  let project: Project;
  const vm = async () => (await project.lab.control.state()).vms["9000"];

  beforeAll(async () => {
    project = await openProject();
    await project.configure((config) => {
      config.cloneSets = {};
    });
  });
  afterAll(() => project?.close());
  afterEach(async () => {
    await project.lab.control.clearFaults();
    await project.lab.control.timeScale(0.02);
    expect((await project.pulumi("destroy", ["--skip-preview"])).code).toBe(0);
    expect(await vm()).toBeUndefined();
  });

  it.each([
    ["the VM's own task, which runs", "POST", "/nodes/pve1/qemu", true],
    ["the disk's task, which runs", "PUT", "/nodes/pve1/qemu/9000/resize", true],
    ["the disk's task, which does not run", "PUT", "/nodes/pve1/qemu/9000/resize", false],
  ])("a hiccup does no harm: %s", async (_, method, path, started) => {
    await project.lab.control.timeScale(0.5);
    await project.lab.control.hiccup({ method, path, started });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).toBe(0);
    expect((await vm())?.config).toMatchObject({ template: 1, scsi0: expect.stringMatching(/base-.*size=20G/) });
    // The engine remembers that the first try failed, and updates the VM once more.
    const again = await project.pulumi("up", ["--skip-preview"]);
    expect([again.code, again.diagnostics]).toEqual([0, ""]);
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it.each([
    ["lost after the VM was made", () => project.lab.control.cut("POST", "/nodes/pve1/qemu", "after")],
    ["lost before", () => project.lab.control.cut("POST", "/nodes/pve1/qemu", "before")],
    [
      "a proxy's, which did not reach the node",
      () =>
        project.lab.control.fail({
          method: "POST",
          path: "/nodes/pve1/qemu",
          status: 595,
          message: "No route to host",
        }),
    ],
  ])("an answer does no harm that is %s", async (_, trouble) => {
    await project.lab.control.timeScale(0.5);
    await trouble();
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).toBe(0);
    expect((await vm())?.config).toMatchObject({ template: 1, scsi0: expect.stringMatching(/base-.*size=20G/) });
  });

  it("a hiccup leaves a locked VMID where the VM's own task does not run: it is said what root has to do", async () => {
    await project.lab.control.hiccup({ method: "POST", path: "/nodes/pve1/qemu" });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toMatch(/lock: create\)\n.*on pve1: qm unlock 9000 && qm destroy 9000 --purge/);
    expect((await vm())?.config).toEqual({ lock: "create" });
    expect((await project.pulumi("up", ["--skip-preview"])).diagnostics).toMatch(/lock: create\)\n.*qm unlock 9000/);
    // As root would.
    await project.lab.control.deleteVm(9000);
    const gone = await project.pulumi("up", ["--skip-preview"]);
    expect(gone.diagnostics).toMatch(/VM 9000 does not exist\n *Run `pulumi refresh`, then `pulumi up`/);
    for (const command of ["refresh", "up"]) expect((await project.pulumi(command)).code).toBe(0);
    expect((await vm())?.config.template).toBe(1);
  });
});
