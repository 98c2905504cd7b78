import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { forget, until, upUntil } from "./kill.ts";
import { openProject, type Project } from "./project.ts";

const SLOW = 1;
const FAST = 0.02;

describe("a run that is killed", () => {
  let project: Project;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;
  const vm = async () => (await project.lab.control.state()).vms["9000"];
  /** True once a task of this type runs. */
  const running = (type: string) => async () =>
    (await project.lab.control.state()).running.some((upid) => upid.includes(`:${type}:`));
  /** True once such a request was made. */
  const asked = (method: string, path: string) => async () =>
    (await project.lab.control.requests()).api.some((one) => one.method === method && one.path.endsWith(path));
  beforeAll(async () => {
    project = await openProject();
    before = await project.lab.control.state();
    await project.configure((config) => {
      config.cloneSets = {};
    });
  });
  afterAll(() => project?.close());
  afterEach(async () => {
    await project.lab.control.timeScale(FAST);
    await project.lab.control.images({ bytesPerSecond: 0 });
    await project.lab.control.clearFaults();
    await project.lab.control.clearRequests();
  });

  it("in the middle of the download", async () => {
    await project.lab.control.images({ bytesPerSecond: 2000 });
    await upUntil(project, running("download"));
    await project.lab.control.images({ bytesPerSecond: 0 });
    expect(await vm()).toBeUndefined();
  });

  it("right after it asked PVE for the VM: PVE goes on with it", async () => {
    await project.lab.control.timeScale(SLOW);
    await upUntil(project, running("qmcreate"));
    expect((await vm())?.config).toMatchObject({ lock: "create" });
  });

  it("when the VM is there, but is no template yet", async () => {
    const path = "/nodes/pve1/qemu/9000/template";
    await project.lab.control.fail({ method: "POST", path, status: 596, message: "Connection timed out", times: null });
    await upUntil(project, asked("POST", path));
    await project.lab.control.clearFaults();
    expect((await vm())?.config).toMatchObject({ scsi0: expect.stringContaining("vm-9000-disk") });
  });

  it("in the middle of the conversion", async () => {
    await project.lab.control.timeScale(SLOW);
    await upUntil(project, running("qmtemplate"));
  });

  it("is finished by the next one, with nothing left over", async () => {
    const run = await project.pulumi("up");
    expect(run.code).toBe(0);
    expect((await vm())?.config).toMatchObject({ template: 1, scsi0: expect.stringMatching(/base-.*size=20G/) });
    const { volumes, leftovers } = await project.lab.control.state();
    expect(leftovers).toEqual([]);
    expect(Object.keys(volumes["pve1/local-lvm"] ?? {}).filter((name) => name.includes("9000"))).toHaveLength(4);
    const again = await project.pulumi("up");
    expect([again.code, again.steps]).toEqual([0, []]);
    expect((await project.pulumi("destroy")).code).toBe(0);
    const after = await project.lab.control.state();
    expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
  });

  it("or interrupted by Ctrl-C: the step that was begun ends, and the next run goes on", async () => {
    const stop = new AbortController();
    await project.lab.control.timeScale(SLOW);
    let ended = false;
    const up = project.pulumi("up", ["--skip-preview"], { signal: stop.signal }).finally(() => {
      ended = true;
    });
    await until(async () => ended || (await running("qmcreate")()));
    stop.abort();
    expect(ended).toBe(false);
    const run = await up;
    expect(run.code).not.toBe(0);
    await project.lab.control.timeScale(FAST);
    expect((await project.pulumi("up")).code).toBe(0);
    expect((await vm())?.config).toMatchObject({ template: 1, scsi0: expect.stringMatching(/base-.*size=20G/) });
  });

  it("takes a finished template over when the state has forgotten it", async () => {
    const made = await vm();
    await forget(project, ["9000-conversion", "9000-vm"]);
    expect((await project.pulumi("up")).code).toBe(0);
    expect(await vm()).toEqual(made);
    expect((await project.pulumi("destroy")).code).toBe(0);
  });

  it.each([
    ["a refresh and the next run make", true],
    ["the next run makes", false],
  ])("in the middle of a replacement: the state knows a VM that is gone; %s it anew", async (_, refresh) => {
    await project.configure((config) => {
      Object.assign(config.templates?.noble ?? {}, { memoryMiB: 2048 });
    });
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
    await project.configure((config) => {
      Object.assign(config.templates?.noble ?? {}, { memoryMiB: 3072 });
    });
    await project.lab.control.timeScale(SLOW);
    await upUntil(project, running("qmdestroy"));
    await project.lab.control.timeScale(FAST);
    await expect.poll(vm).toBeUndefined();
    if (refresh) expect((await project.pulumi("refresh")).code).toBe(0);
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
    expect((await vm())?.config).toMatchObject({ template: 1, memory: "3072" });
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
    expect((await project.pulumi("destroy")).code).toBe(0);
  });

  it("before the conversion is in the state: destroy leaves nothing behind", async () => {
    await project.lab.control.timeScale(SLOW);
    await upUntil(project, running("qmtemplate"));
    await project.lab.control.timeScale(FAST);
    const { deployment } = JSON.parse(await project.state()) as { deployment: { resources: { urn: string }[] } };
    expect(deployment.resources.filter(({ urn }) => urn.endsWith("::9000-conversion"))).toEqual([]);
    expect(await vm()).toBeDefined();
    expect((await project.pulumi("destroy")).code).toBe(0);
    const after = await project.lab.control.state();
    expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
  });

  it("never touches a VM that somebody adds between preflight and creation", async () => {
    const foreign = { vmid: 9000, config: { name: "payroll", scsi0: "local-lvm:vm-9000-disk-7,size=1G" } };
    const path = "/nodes/pve1/storage/local/download-url";
    await project.lab.control.justBefore({ method: "POST", path }, "add_vm", foreign);
    const run = await project.pulumi("up");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toMatch(/VMID 9000 is taken by VM "payroll".*which this stack did not make/);
    const payroll = await vm();
    expect(payroll?.config).toMatchObject(foreign.config);
    expect((await project.pulumi("destroy")).code).toBe(0);
    expect(await vm()).toEqual(payroll);
  });
});
