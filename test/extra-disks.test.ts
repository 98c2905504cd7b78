import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { volumesOf, withDisks } from "./ownDisks.ts";
import { openProject, type Project } from "./project.ts";

/** Disks of a clone's own. */

let project: Project;
const control = () => project.lab.control;
const configOf = async (vmId: number) => (await control().vms())[vmId]?.config ?? {};
const up = () => project.pulumi("up", ["--skip-preview"]);
const stepsOf = (run: { steps: { op: string; name: string }[] }) => run.steps.map(({ op, name }) => `${op} ${name}`);

beforeAll(async () => {
  project = await openProject();
});
afterAll(() => project?.close());

describe("disks of a clone's own", () => {
  it("are made with it, and a second run and a refresh find them so", async () => {
    await project.configure(withDisks([{ sizeGiB: 8 }, { sizeGiB: 4, bus: "virtio", cache: "writeback" }]));
    const run = await up();
    expect(run.code, run.output).toBe(0);
    const { scsi1, virtio0 } = await configOf(9102);
    expect(scsi1).toMatch(/^local-lvm:vm-9102-disk-\d+,discard=on,iothread=1,size=8G,ssd=1$/);
    expect(virtio0).toMatch(/^local-lvm:vm-9102-disk-\d+,cache=writeback,discard=on,iothread=1,size=4G$/);
    expect(Object.keys(await configOf(9101))).not.toContain("scsi1");
    expect(stepsOf(await up())).toEqual([]);
    const refresh = await project.pulumi("refresh");
    expect([refresh.code, refresh.changes.update], refresh.output).toEqual([0, undefined]);
  });

  it("grow and change in place, with what is on them", async () => {
    const before = await volumesOf(project, 9102);
    await project.configure(
      withDisks([
        { sizeGiB: 16, backup: false },
        { sizeGiB: 4, bus: "virtio" },
      ]),
    );
    const run = await up();
    expect(run.code, run.output).toBe(0);
    const { scsi1, virtio0 } = await configOf(9102);
    expect(scsi1).toMatch(/,backup=0,.*size=16G/);
    expect(virtio0).not.toContain("cache=");
    expect(await volumesOf(project, 9102)).toEqual(before);
    expect(stepsOf(await up())).toEqual([]);
  });

  it("do not shrink: that is refused at preview", async () => {
    await project.configure(withDisks([{ sizeGiB: 10 }, { sizeGiB: 4, bus: "virtio" }]));
    const refused = await project.pulumi("preview");
    expect(refused.code).not.toBe(0);
    expect(refused.output).toMatch(/disk scsi1 of web-2 has 16 GiB, and PVE cannot shrink disks.*found 10/s);
  });

  it("that somebody has taken off or changed are put back, when a refresh has seen it", async () => {
    await project.configure(
      withDisks([
        { sizeGiB: 16, backup: false },
        { sizeGiB: 4, bus: "virtio" },
      ]),
    );
    const { scsi1, virtio0 } = await configOf(9102);
    // As PVE does when somebody detaches a disk.
    const unused0 = String(virtio0).split(",")[0] ?? "";
    await control().patchConfig(9102, {
      delete: ["virtio0"],
      set: { scsi1: String(scsi1).replace("discard=on,", ""), unused0 },
    });
    const refresh = await project.pulumi("refresh");
    expect(refresh.code, refresh.output).toBe(0);
    const run = await up();
    expect(stepsOf(run), run.output).toEqual(["update vm-9102"]);
    expect((await configOf(9102)).scsi1).toBe(scsi1);
    expect((await configOf(9102)).virtio0).toMatch(/size=4G/);
  });

  it("that leave the config are deleted, and preview names them; what somebody else has added stays", async () => {
    await control().patchConfig(9102, { set: { scsi7: "local-lvm:vm-9102-disk-77,size=3G" } });
    await project.configure(withDisks([{ sizeGiB: 16, backup: false }]));
    const preview = await project.pulumi("preview");
    expect(preview.output).toContain(
      "~- 1 clone loses disks of its own, with all that is on them: web-2 (lost: virtio0 with 4 GiB)",
    );
    const before = await volumesOf(project, 9102);
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(run.output).toContain("deleting disk virtio0 with 4 GiB of web-2");
    expect(Object.keys(await configOf(9102))).toEqual(expect.arrayContaining(["scsi1", "scsi7"]));
    expect(Object.keys(await configOf(9102)).filter((key) => /^(virtio|unused)\d/.test(key))).toEqual(["unused0"]);
    expect(await volumesOf(project, 9102)).toHaveLength(before.length - 1);
  });
});

describe("at the end", () => {
  it("preview names the disks that go with their clone", async () => {
    await project.configure(({ cloneSets }) => {
      const { clones = [] } = (cloneSets?.web ?? {}) as { clones?: object[] };
      clones.splice(1, 1);
    });
    const preview = await project.pulumi("preview");
    expect(preview.output).toContain("-  1 clone is deleted, with its disks: web-2 (lost: scsi1 with 16 GiB)");
  });

  it("destroy leaves neither VM nor volume", async () => {
    const run = await project.pulumi("destroy");
    expect(run.code, run.output).toBe(0);
    expect(Object.keys(await control().vms())).toEqual(["100", "900"]);
    expect(await volumesOf(project, 9102)).toEqual([]);
  });
});
