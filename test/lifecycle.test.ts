import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

/** All resources of one template and three clones: stack, preflight, plugin's provider, two components, 8 + 3 children. */
const RESOURCES = 16;

describe("the main job, from nothing to nothing", () => {
  let project: Project;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;

  beforeAll(async () => {
    project = await openProject();
    before = await project.lab.control.state();
  });
  afterAll(() => project?.close());

  it("up makes the template and starts its clones", async () => {
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    expect(run.code).toBe(0);
    expect(run.changes).toEqual({ create: RESOURCES });

    const { vms } = await project.lab.control.state();
    expect(vms["9000"]).toMatchObject({
      name: "noble",
      status: "stopped",
      config: {
        template: 1,
        bios: "ovmf",
        machine: "q35",
        efidisk0: expect.stringMatching(/base-9000-disk-\d+,.*efitype=4m.*pre-enrolled-keys=1/),
        tpmstate0: expect.stringMatching(/base-9000-disk-\d+,.*version=v2\.0/),
        scsi0: expect.stringMatching(/base-9000-disk-\d+,.*size=20G/),
        scsi30: expect.stringContaining("cloudinit"),
        cicustom: expect.stringMatching(/user=local:snippets\/noble-9000-user-[0-9a-f]{12}\.yaml/),
      },
    });
    for (const n of [1, 2, 3]) {
      expect(vms[`910${n}`]).toMatchObject({
        name: `web-${n}`,
        status: "running",
        config: { ipconfig0: `ip=10.0.0.2${n}/24,gw=10.0.0.1` },
      });
    }
  });

  it("says at the end what exists and what to do next", async () => {
    const { templates, clones } = (await project.outputs()) as {
      templates: Record<string, unknown>;
      clones: Record<string, unknown[]>;
    };
    expect(templates.noble).toMatchObject({
      vmId: 9000,
      nodeName: "pve1",
      isTemplate: true,
      image: { origin: "downloaded" },
    });
    expect(clones.web?.[0]).toEqual({
      name: "web-1",
      vmId: 9101,
      node: "pve1",
      address: "10.0.0.21",
      status: "ready",
      console: `${project.lab.endpoint}/#v1:0:=qemu%2F9101`,
    });
  });

  it("keeps no secret in plain text in the state", async () => {
    const state = await project.state();
    expect(state).not.toContain(project.lab.apiToken.split("=")[1]);
    expect(state).not.toContain("PRIVATE KEY");
  });

  it("a second up leaves every resource unchanged", async () => {
    const run = await project.pulumi("up");
    expect(run.steps).toEqual([]);
    expect(run.changes).toEqual({ same: RESOURCES });
  });

  it("preview, refresh and preview see no difference", async () => {
    const preview = await project.pulumi("preview", ["--expect-no-changes"]);
    expect(preview.changes).toEqual({ same: RESOURCES });
    expect(preview.output).toContain("Nothing happens to the fleet: 1 template and 3 clones stay as they are.\n");
    const refresh = await project.pulumi("refresh");
    expect(refresh.code).toBe(0);
    expect(refresh.changes).toEqual({ same: RESOURCES });
    const after = await project.pulumi("preview", ["--expect-no-changes"]);
    expect(after.steps).toEqual([]);
    expect(after.code).toBe(0);
  });

  it("destroy leaves the cluster as it was before", async () => {
    const run = await project.pulumi("destroy");
    expect(run.diagnostics).toBe("");
    expect(run.changes).toEqual({ delete: RESOURCES });
    const after = await project.lab.control.state();
    expect(after.vms).toEqual(before.vms);
    expect(after.volumes).toEqual(before.volumes);
    expect(after.files).toEqual(before.files);
  });
});
