import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { upUntil } from "./kill.ts";
import { volumesOf, withDisks } from "./ownDisks.ts";
import { openProject, type Project, type StackConfig } from "./project.ts";

/** Disks of a clone's own that stay when it is made anew. */

let project: Project;
const control = () => project.lab.control;
const configOf = async (vmId: number) => (await control().vms())[vmId]?.config ?? {};
const up = () => project.pulumi("up", ["--skip-preview"]);
const stepsOf = (run: { steps: { op: string; name: string }[] }) => run.steps.map(({ op, name }) => `${op} ${name}`);

beforeAll(async () => {
  project = await openProject();
});
afterAll(() => project?.close());

describe("disks that are kept", () => {
  const DISKS = [{ sizeGiB: 16, backup: false }, { sizeGiB: 4 }];
  const replacing = { onTemplateChange: "replace" };
  const renew = (vmId: number, change: (config: StackConfig) => void) =>
    project.configure((config) => {
      change(config);
      const { noble } = config.templates ?? {};
      if (noble) Object.assign(noble, { cpu: { cores: (vmId % 10) + 4 }, vmId });
    });
  /** What is written on the volumes of a VM's drives: the lab keeps it with them whatever they are called. */
  async function writtenOn(vmId: number, ...drives: string[]): Promise<(number | undefined)[]> {
    const { vms, volumes } = await control().state();
    return drives.map((drive) => {
      const [, name = ""] = String(vms[vmId]?.config[drive]).split(",")[0]?.split(":") ?? [];
      return volumes["pve1/local-lvm"]?.[name]?.used;
    });
  }
  async function write(vmId: number, drive: string, used: number): Promise<void> {
    const [volume = ""] = String((await configOf(vmId))[drive]).split(",");
    const [, name = ""] = volume.split(":");
    await control().volume("local-lvm", name, { used });
  }
  const holders = async () =>
    Object.entries(await control().vms()).flatMap(([vmId, { name }]) =>
      name?.startsWith("disks-of-") ? [`${vmId} ${name}`] : [],
    );

  it("are named at preview, and those that are not; the new VM has them with all that is on them", async () => {
    await project.configure(withDisks(DISKS, { keepDisks: true }, replacing));
    expect((await up()).code).toBe(0);
    await write(9102, "scsi1", 1_111_111_111);
    await write(9102, "scsi2", 2_222_222_222);
    const before = (await control().state()).vms[9102]?.config.smbios1;
    await renew(9010, withDisks(DISKS.slice(0, 1), { keepDisks: true }, replacing));
    const preview = await project.pulumi("preview");
    expect(preview.output).toContain(
      "+- 1 clone is made anew, with disks that stay: web-2 (another template; scsi1 with 16 GiB; lost: scsi2 with 4 GiB)",
    );
    await renew(9010, withDisks(DISKS, { keepDisks: true }, replacing));
    const run = await up();
    expect(run.code, run.output).toBe(0);
    const config = await configOf(9102);
    expect(config.smbios1).not.toBe(before);
    expect(config.scsi1).toMatch(/^local-lvm:vm-9102-disk-\d+,backup=0,discard=on,iothread=1,size=16G,ssd=1$/);
    expect(await writtenOn(9102, "scsi1", "scsi2")).toEqual([1_111_111_111, 2_222_222_222]);
    expect(await holders()).toEqual([]);
    expect(stepsOf(await up())).toEqual([]);
  });

  it("are picked up where a run was killed: when the VM was gone, and when one of them was back", async () => {
    await renew(9011, withDisks(DISKS, { keepDisks: true }, replacing));
    const lives = async () => (await control().vms())[9102] !== undefined;
    await upUntil(project, async () => (await holders()).length === 1 && !(await lives()));
    expect(await holders()).toEqual([expect.stringMatching(/^\d+ disks-of-9102$/)]);
    const [id = ""] = (await holders())[0]?.split(" ") ?? [];
    expect(await writtenOn(Number(id), "scsi0", "scsi1")).toEqual([1_111_111_111, 2_222_222_222]);
    expect((await configOf(Number(id))).protection).toBe(1);
    await upUntil(project, async () => (await configOf(9102)).scsi1 !== undefined && (await holders()).length === 1);
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await writtenOn(9102, "scsi1", "scsi2")).toEqual([1_111_111_111, 2_222_222_222]);
    expect(await holders()).toEqual([]);
    expect(stepsOf(await up())).toEqual([]);
  });

  it("are in no danger when PVE itself is killed while it gives one away", async () => {
    await renew(9012, withDisks(DISKS, { keepDisks: true }, replacing));
    await control().hangTask("qmmove", { volumes: 2 });
    const killing = (async () => {
      while ((await configOf(9102)).scsi1 !== undefined) await setTimeout(20);
      await control().killTask({ type: "qmmove" });
    })();
    const failed = await up();
    await killing;
    expect(failed.code, failed.output).not.toBe(0);
    const [id = ""] = (await holders())[0]?.split(" ") ?? [];
    const refused = await up();
    expect(refused.output).toContain(
      `scsi1 with 16 GiB of web-2 is to be kept, but VM 9102 does not have it, and neither has VM ${id}`,
    );
    expect(await writtenOn(9102, "scsi2")).toEqual([2_222_222_222]);
    // As the command that the error names, and somebody who knows whose volume it is.
    const [volume = ""] = await volumesOf(project, Number(id));
    await control().patchConfig(Number(id), {
      set: { scsi0: `local-lvm:${volume},backup=0,discard=on,size=16G,ssd=1` },
    });
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await writtenOn(9102, "scsi1", "scsi2")).toEqual([1_111_111_111, 2_222_222_222]);
    expect((await configOf(9102)).scsi1).toContain("iothread=1");
    expect(await holders()).toEqual([]);
  });

  it("stop a replacement on another node, before anything is deleted", async () => {
    const before = (await control().vms())[9102];
    await renew(9020, (config) => {
      withDisks(DISKS, { keepDisks: true, node: "pve2" }, replacing)(config);
      Object.assign(config.templates?.noble ?? {}, { nodes: ["pve1", "pve2"] });
    });
    const run = await up();
    expect(run.code).not.toBe(0);
    expect(run.output).toMatch(/the disks of web-2 are on node pve1.*nothing was deleted/s);
    expect((await control().vms())[9102]?.config).toEqual(before?.config);
    expect(await holders()).toEqual([]);
  });
});

it("destroy leaves neither VM, holder nor volume", async () => {
  const run = await project.pulumi("destroy");
  expect(run.code, run.output).toBe(0);
  expect(Object.keys(await control().vms())).toEqual(["100", "900"]);
  expect(await volumesOf(project, 9102)).toEqual([]);
});
