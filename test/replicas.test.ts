import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

describe("a template with a replica on each of two nodes", () => {
  let project: Project;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;
  const state = () => project.lab.control.state();

  beforeAll(async () => {
    project = await openProject();
    before = await state();
    await project.configure((config) => {
      const noble = config.templates?.noble;
      if (noble) noble.nodes = ["pve1", "pve2"];
      if (config.cluster.ssh) config.cluster.ssh.nodes = project.lab.ssh.nodes;
      config.cloneSets = {};
    });
  });
  afterAll(() => project?.close());

  it("is made on both, of one name and one content", async () => {
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    const { vms, files } = await state();
    for (const [vmId, node] of [
      [9000, "pve1"],
      [9001, "pve2"],
    ] as const) {
      expect(vms[vmId]).toMatchObject({ node, name: "noble", config: { template: 1 } });
      expect(Object.keys(files).filter((file) => file.startsWith(`${node}/local:import/noble`))).toHaveLength(1);
    }
    const { templates } = (await project.outputs()) as { templates: Record<string, { contentHash: string }> };
    expect(Object.keys(templates)).toEqual(["noble", "noble-pve2"]);
    expect(new Set(Object.values(templates).map(({ contentHash }) => contentHash)).size).toBe(1);
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it("is made on other VMIDs beside the old ones, which go when the new ones are there", async () => {
    await project.configure(({ templates }) => {
      if (templates?.noble) Object.assign(templates.noble, { vmId: 9010, memoryMiB: 3072 });
    });
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    const steps = run.steps.map(({ op, name }) => `${op} ${name}`);
    for (const [old, made] of [
      [9000, 9010],
      [9001, 9011],
    ]) {
      expect(steps).toContain(`create ${made}-conversion`);
      expect(steps.lastIndexOf(`create ${made}-vm`)).toBeLessThan(steps.lastIndexOf(`delete ${old}-vm`));
    }
    const { vms, files } = await state();
    for (const node of ["pve1", "pve2"])
      expect(Object.keys(files).filter((file) => file.startsWith(`${node}/local:import/noble`))).toHaveLength(1);
    const { images } = await project.lab.control.requests();
    expect(images.filter(({ method, path }) => method === "GET" && path.endsWith(".img"))).toHaveLength(2);
    expect([9000, 9001, 9010, 9011].map((vmId) => vms[vmId]?.config.template)).toEqual([undefined, undefined, 1, 1]);
  });

  it("loses the one on a node that is taken away", async () => {
    await project.configure(({ templates }) => {
      if (templates?.noble) templates.noble.nodes = ["pve1"];
    });
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    const { vms, files } = await state();
    expect([9010, 9011].map((vmId) => vms[vmId]?.config.template)).toEqual([1, undefined]);
    expect(Object.keys(files).filter((file) => file.includes(":import/noble"))).toEqual([
      expect.stringMatching(/^pve1\//),
    ]);
  });

  it("leaves nothing behind", async () => {
    expect((await project.pulumi("destroy")).code).toBe(0);
    const after = await state();
    expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
  });
});
