import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TemplateInput } from "../config/template.ts";
import { openProject, type Project } from "./project.ts";

/** What preflight says, and what the engine makes of it. */
describe("preflight in a run", () => {
  let project: Project;
  const clone = (n: number, node: string, more: object = {}) => ({ name: `web-${n}`, vmId: 9100 + n, node, ...more });
  const vms = () => project.lab.control.vms();

  beforeAll(async () => {
    project = await openProject();
    await project.configure((config) => {
      const noble = config.templates?.noble;
      if (noble) noble.nodes = ["pve1", "pve2"];
      if (config.cluster.ssh) config.cluster.ssh.nodes = project.lab.ssh.nodes;
      config.cloneSets = {
        web: { template: "noble", shutdownSeconds: 0, clones: [clone(1, "pve1"), clone(2, "pve2")] },
      };
    });
  });
  afterAll(() => project?.close());

  it("knows at the first preview already who the fleet is and after what its snippets are named", async () => {
    const run = await project.pulumi("preview", ["--diff"]);
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(run.output).toMatch(/noble-9000-user-[0-9a-f]{12}\.yaml/);
    expect(run.output).toMatch(/proxmox-golden-fleet: fleet=[0-9a-f]{8} .*resource=templates\.noble/);
  });

  it("has nothing to say of a fleet that is as it was", async () => {
    const up = await project.pulumi("up", ["--skip-preview"]);
    expect([up.diagnostics, up.code]).toEqual(["", 0]);
    const again = await project.pulumi("up", ["--skip-preview"]);
    expect([again.diagnostics, again.steps]).toEqual(["", []]);
  });

  it("says at preview in one line that the clones of a set that gets another name keep their VMs", async () => {
    await project.configure((config) => {
      config.cloneSets = { frontend: config.cloneSets?.web as never };
    });
    const preview = await project.pulumi("preview");
    expect([preview.diagnostics, preview.code]).toEqual(["", 0]);
    expect(preview.output).toContain("9101 to 9102 move from cloneSets.web to cloneSets.frontend, their VMs stay");
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
    expect((await project.pulumi("preview")).output).not.toContain("move from");
  });

  it("lets everything be done that a node which is down has no part in, and says what has", async () => {
    await project.lab.control.nodeOnline("pve2", false);
    await project.configure((config) => {
      config.cloneSets = {
        frontend: {
          template: "noble",
          shutdownSeconds: 0,
          clones: [clone(1, "pve1", { tags: ["new"] }), clone(2, "pve2", { tags: ["new"] }), clone(3, "pve1")],
        },
      };
    });
    const run = await project.pulumi("up");
    expect(run.code, run.output).toBe(0);
    expect(run.diagnostics).toMatch(
      /node pve2 is offline: 9001 \(templates\.noble\) and 9102 \(cloneSets\.frontend\) can be neither made nor changed/,
    );
    expect(run.diagnostics).toMatch(/web-2 failed; the other clones go on/);
    expect(run.output).toMatch(/3 clones: 2 ready, 1 failed/);
    const { 9101: first, 9103: third } = await vms();
    expect([first?.config.tags, third?.status]).toEqual([expect.stringContaining("new"), "running"]);

    await project.lab.control.nodeOnline("pve2", true);
    const later = await project.pulumi("up");
    expect(later.code, later.output).toBe(0);
    expect((await vms())[9102]?.config.tags).toContain("new");
  });

  it("stops before a template is made on a node that is down", async () => {
    await project.lab.control.nodeOnline("pve2", false);
    await project.configure(({ templates = {} }) => {
      const { nodes: _nodes, ...noble } = templates.noble as TemplateInput;
      templates.other = { ...noble, vmId: 9010, node: "pve2" };
    });
    const run = await project.pulumi("up");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("node pve2 is offline, and templates.other is to be made there");
    expect(run.steps.filter(({ name }) => name.startsWith("other"))).toEqual([]);
    await project.lab.control.nodeOnline("pve2", true);
  });
});
