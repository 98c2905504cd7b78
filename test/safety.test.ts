import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

describe("what is not ours", () => {
  let project: Project;

  beforeAll(async () => {
    project = await openProject();
  });
  afterAll(() => project?.close());

  it("stops preview and up before anything is made, naming the VM, when a VMID is taken by somebody else", async () => {
    await project.lab.control.addVm({ vmid: 9102, config: { name: "mail", description: "do not touch" } });
    const before = await project.lab.control.state();
    for (const command of ["preview", "up"]) {
      const run = await project.pulumi(command);
      expect(run.code).not.toBe(0);
      expect(run.diagnostics).toMatch(/cloneSets\.web\.clones\[1\]/);
      expect(run.diagnostics).toContain("mail");
      expect(run.diagnostics).toContain("9102");
    }
    expect(await project.lab.control.state()).toEqual(before);
    await project.lab.control.deleteVm(9102);
  });

  it("destroy refuses to delete a VM that took our VMID", async () => {
    await project.configure((config) => {
      config.cloneSets = {};
    });
    expect((await project.pulumi("up")).code).toBe(0);
    await project.lab.control.deleteVm(9000);
    await project.lab.control.addVm({ vmid: 9000, config: { name: "payroll" } });
    const run = await project.pulumi("destroy");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("payroll");
    expect((await project.lab.control.state()).vms["9000"]?.name).toBe("payroll");
  });
});
