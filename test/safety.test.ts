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

describe("a mistake in the config of a fleet that runs", () => {
  let project: Project;

  beforeAll(async () => {
    project = await openProject();
    expect((await project.pulumi("up")).code).toBe(0);
  });
  afterAll(() => project?.close());

  it.each([["--diff"], ["--continue-on-error"]])(
    "deletes nothing when a section's name is mistyped (%s)",
    async (flag) => {
      const before = await project.lab.control.state();
      await project.configure((config) => {
        const { cloneSets } = config;
        delete config.cloneSets;
        Object.assign(config, { cloneSet: cloneSets });
      });
      for (const command of ["preview", "up"]) {
        // Only `up` can go on after an error.
        if (command === "preview" && flag === "--continue-on-error") continue;
        const run = await project.pulumi(command, [flag]);
        expect(run.code).not.toBe(0);
        expect(run.diagnostics).toContain('cloneSet: unknown key; did you mean "cloneSets"?');
        expect(run.steps.filter(({ op }) => op === "delete")).toEqual([]);
      }
      expect((await project.lab.control.state()).vms).toEqual(before.vms);
      await project.configure((config) => {
        const raw = config as typeof config & { cloneSet?: typeof config.cloneSets };
        if (raw.cloneSet) config.cloneSets = raw.cloneSet;
        delete raw.cloneSet;
      });
    },
  );

  it("refuses a token that stands in the stack's file in plain text", async () => {
    await project.configure((config) => Object.assign(config, { apiToken: project.lab.apiToken }));
    const run = await project.pulumi("preview");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain(
      "apiToken: found in plain text; expected a secret: pulumi config set --secret apiToken",
    );
    expect(run.output).not.toContain(project.lab.apiToken.split("=")[1]);
    await project.configure((config) => Reflect.deleteProperty(config, "apiToken"));
  });

  it("deletes nothing when preflight fails and errors are to be passed over", async () => {
    await project.lab.control.addVm({ vmid: 9104, config: { name: "mail" } });
    await project.configure((config) => {
      config.cloneSets = { db: { template: "noble", clones: [{ name: "db-1", vmId: 9104 }] } };
    });
    const before = await project.lab.control.state();
    const run = await project.pulumi("up", ["--continue-on-error"]);
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("mail");
    expect((await project.lab.control.state()).vms).toEqual(before.vms);
  });
});
