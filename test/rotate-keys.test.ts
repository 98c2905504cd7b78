import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PUBLIC_KEY } from "../config/testing.ts";
import { openProject, type Project, type Run } from "./project.ts";

/** SSH keys that are changed in guests which exist: the lab runs the program's own script for it. */

const keyOf = (who: string) => PUBLIC_KEY.replace("demo", who);
const [OLD, NEW, NEXT, BY_HAND] = ["old", "Jürgen's \\n $(id) 🔑", "next", "by hand"].map(keyOf) as [
  string,
  string,
  string,
  string,
];

let project: Project;
const control = () => project.lab.control;
const keysIn = async (vmId: number) => (await control().vms())[vmId]?.guest?.keys;
const up = () => project.pulumi("up", ["--skip-preview"]);
/** What the engine did with clones. */
const stepsOf = ({ steps }: Run) =>
  steps.flatMap(({ op, name }) => (name.startsWith("vm-") ? [`${op} ${name}`] : [])).sort();
/** What was said of keys. */
const toldOf = ({ diagnostics }: Run) => diagnostics.split("\n").filter((line) => line.includes("SSH keys"));
/** How often a command was run in a guest since a request. */
const commands = async (since = 0) =>
  (await control().requests(since)).api.filter(({ path }) => path.endsWith("/agent/exec")).map(({ path }) => path);
const setOf = ({ cloneSets }: Project["config"]) => cloneSets?.web ?? {};
/** The config with other keys. */
const withKeys = (sshPublicKeys: string[], set: object = {}): Parameters<Project["configure"]>[0] => {
  return (config) => {
    Object.assign(config.templates?.noble ?? {}, {
      cloudInit: { user: "ops", sshPublicKeys, packages: ["qemu-guest-agent"] },
    });
    Object.assign(setOf(config), { mode: "full", rotateKeys: true, ...set });
  };
};

describe("a fleet whose keys are rotated", () => {
  beforeAll(async () => {
    project = await openProject();
    await project.configure(withKeys([OLD]));
  });
  afterAll(() => project?.close());

  it("has its keys by the first boot: no command is run for them, and a second run finds nothing to do", async () => {
    const run = await up();
    expect([run.code, toldOf(run)], run.output).toEqual([0, []]);
    for (const vmId of [9101, 9102, 9103]) expect(await keysIn(vmId)).toEqual({ ops: [OLD] });
    expect(stepsOf(await up())).toEqual([]);
    expect(await commands()).toEqual([]);
  });

  it("is told at preview whose keys change, and that those added by hand go", async () => {
    await control().addKey(9102, "ops", BY_HAND);
    await project.configure(withKeys([NEW, NEXT]));
    const { code, output } = await project.pulumi("preview");
    expect(code, output).toBe(0);
    expect(output).toMatch(
      /~ +3 clones get the SSH keys of the config, and lose those that were added by hand: web-1 … web-3 \(user ops\)/,
    );
    expect(await commands()).toEqual([]);
  });

  it("has exactly the keys of the config then, without a restart, and a second run and a refresh find it so", async () => {
    const before = await control().vms();
    const run = await up();
    expect([run.code, toldOf(run)], run.output).toEqual([0, []]);
    for (const vmId of [9101, 9102, 9103]) expect(await keysIn(vmId)).toEqual({ ops: [NEW, NEXT] });
    const after = await control().vms();
    for (const vmId of [9101, 9102, 9103]) expect(after[vmId]?.guest?.boots).toBe(before[vmId]?.guest?.boots);
    const { total } = await control().requests();
    expect(stepsOf(await up())).toEqual([]);
    const refresh = await project.pulumi("refresh");
    expect([refresh.code, refresh.changes.update]).toEqual([0, undefined]);
    expect(await commands(total)).toEqual([]);
  });

  it("takes a clone that is new beside them by its first boot alone", async () => {
    const { total } = await control().requests();
    await project.configure((config) => {
      const { clones = [] } = setOf(config) as { clones?: object[] };
      clones.push({ name: "web-4", vmId: 9104, ip: "10.0.0.24/24", gateway: "10.0.0.1" });
    });
    expect(stepsOf(await up())).toEqual(["create vm-9104"]);
    expect(await keysIn(9104)).toEqual({ ops: [NEW, NEXT] });
    expect(await commands(total)).toEqual([]);
  });

  it("does not claim what it could not do: it says so, and the next run tries just that again", async () => {
    await control().guest(9101, { agentAfter: "never" });
    await control().guest(9102, { agent: { exec: { sh: { exitcode: 0 } } } });
    await control().guest(9103, { agent: { exec: { sh: { exitcode: 1, "err-data": "there is no user ops\n" } } } });
    await project.configure(withKeys([NEXT]));
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(run.diagnostics).toContain(
      "web-1: user ops may still have its old SSH keys, and the next `pulumi up` tries",
    );
    expect(run.output).toMatch(/Running, perhaps with old SSH keys\s+web-1 \(VM 9101\)/);
    expect(await keysIn(9101)).toEqual({ ops: [NEW, NEXT] });
    expect(await keysIn(9104)).toEqual({ ops: [NEXT] });
    const { clones } = (await project.outputs()) as { clones: Record<string, { name: string; oldKeys?: string }[]> };
    expect(clones.web?.map(({ name, oldKeys }) => `${name}: ${oldKeys}`)).toEqual([
      "web-1: after 20 s, its guest agent does not answer",
      "web-2: the command in the guest ended with 0: no answer",
      "web-3: the command in the guest ended with 1: there is no user ops",
      "web-4: undefined",
    ]);

    await project.configure(withKeys([NEXT], { onError: "fail" }));
    await control().guest(9101, { agentAfter: 0 });
    await control().guest(9102, { agent: {} });
    const again = await up();
    expect(again.code).not.toBe(0);
    expect(again.diagnostics).toContain("1 of 4 clones failed: web-3 (VM 9103)");
    expect(stepsOf(again)).toEqual(["update vm-9101", "update vm-9102", "update vm-9103"]);
    expect([await keysIn(9101), await keysIn(9102)]).toEqual([{ ops: [NEXT] }, { ops: [NEXT] }]);

    await control().guest(9103, { agent: {} });
    const last = await up();
    expect([last.code, stepsOf(last)]).toEqual([0, ["update vm-9103"]]);
    expect(await keysIn(9103)).toEqual({ ops: [NEXT] });
    expect(stepsOf(await up())).toEqual([]);
  });

  it("takes them also in a guest that was off, when it is up again", async () => {
    await control().power(9101, "stopped");
    await project.configure(withKeys([NEW]));
    const run = await up();
    expect([run.code, toldOf(run)], run.output).toEqual([0, []]);
    for (const vmId of [9101, 9104]) expect(await keysIn(vmId)).toEqual({ ops: [NEW] });
  });

  it("waits for a cloud-init that is at work", async () => {
    await control().guest(9102, { cloudInit: { seconds: 1e9 } });
    await project.configure(withKeys([OLD]));
    const running = up();
    await expect.poll(() => keysIn(9104)).toEqual({ ops: [OLD] });
    expect(await keysIn(9102)).toEqual({ ops: [NEW] });
    await control().guest(9102, { cloudInit: null });
    const run = await running;
    expect([run.code, toldOf(run)], run.output).toEqual([0, []]);
    expect(await keysIn(9102)).toEqual({ ops: [OLD] });
  });

  it("is set again when rotateKeys goes and comes back: somebody may have put an old disk back", async () => {
    await control().addKey(9101, "ops", BY_HAND);
    expect(stepsOf(await up())).toEqual([]);
    await project.configure(withKeys([OLD], { rotateKeys: false }));
    const { total } = await control().requests();
    expect(stepsOf(await up())).toHaveLength(4);
    expect(stepsOf(await up())).toEqual([]);
    expect(await commands(total)).toEqual([]);
    expect(await keysIn(9101)).toEqual({ ops: [OLD, BY_HAND] });
    await project.configure(withKeys([OLD]));
    expect((await up()).code).toBe(0);
    expect(await keysIn(9101)).toEqual({ ops: [OLD] });
  });

  it("needs the right to run commands, which preflight asks for", async () => {
    const role = ["VM.Allocate", "VM.Audit", "VM.Clone", "VM.Config.HWType", "VM.Config.Options", "VM.PowerMgmt"];
    await control().privileges("/vms", [...role, "VM.Config.Cloudinit", "VM.Config.CDROM", "VM.Config.Disk"]);
    const { code, diagnostics } = await project.pulumi("preview");
    expect([code === 0, diagnostics]).toEqual([false, expect.stringContaining("VM.GuestAgent.Unrestricted")]);
    await control().privileges();
  });

  it("leaves nothing behind", async () => {
    const run = await project.pulumi("destroy");
    expect(run.code, run.output).toBe(0);
    const ours = Object.keys(await control().vms()).filter((vmId) => Number(vmId) >= 9000);
    expect(ours).toEqual([]);
  });
});

describe("linked clones, whose template must not change", () => {
  beforeAll(async () => {
    project = await openProject();
    await project.configure(withKeys([OLD], { mode: "linked" }));
    expect((await up()).code).toBe(0);
  });
  afterAll(() => project?.close());

  it("get the keys of their set's cloudInit, or of their own, and stay; a new one has them by its first boot", async () => {
    await project.configure((config) => {
      const set = setOf(config) as { clones: object[] };
      Object.assign(set, { cloudInit: { sshPublicKeys: [NEW] } });
      Object.assign(set.clones[2] ?? {}, { cloudInit: { sshPublicKeys: [NEXT] } });
      set.clones.push({ name: "web-4", vmId: 9104, ip: "10.0.0.24/24", gateway: "10.0.0.1" });
    });
    const before = await control().vms();
    const { total } = await control().requests();
    const run = await up();
    expect([run.code, toldOf(run)], run.output).toEqual([0, []]);
    const after = await control().vms();
    for (const [vmId, key] of [
      [9101, NEW],
      [9102, NEW],
      [9103, NEXT],
      [9104, NEW],
    ] as const)
      expect(after[vmId]?.guest).toMatchObject({ boots: 1, keys: { ops: [key] } });
    for (const vmId of [9101, 9102, 9103]) expect(after[vmId]?.config.scsi0).toBe(before[vmId]?.config.scsi0);
    expect((await commands(total)).some((path) => path.includes("/9104/"))).toBe(false);
    expect(stepsOf(await up())).toEqual([]);
  });
});

describe("a fleet without snippets, whose guests are new instances with another address", () => {
  beforeAll(async () => {
    project = await openProject();
    await control().guest("new", { agentAfter: 8 });
    await project.configure((config) => {
      const { ssh: _, ...cluster } = config.cluster;
      config.cluster = cluster;
      Object.assign(config.templates?.noble ?? {}, { cloudInit: { user: "ops", sshPublicKeys: [OLD] } });
      Object.assign(setOf(config), {
        mode: "full",
        rotateKeys: true,
        clones: [{ name: "web-1", vmId: 9101, ip: "10.0.0.21/24", gateway: "10.0.0.1" }],
      });
    });
    expect((await up()).code).toBe(0);
  });
  afterAll(() => project?.close());

  const configure = (ip: string, set: object = {}) =>
    project.configure((config) => {
      Object.assign(config.templates?.noble ?? {}, { cloudInit: { user: "ops", sshPublicKeys: [NEXT] } });
      Object.assign(setOf(config), set, { clones: [{ name: "web-1", vmId: 9101, ip, gateway: "10.0.0.1" }] });
    });

  it("gets other keys like any other", async () => {
    await configure("10.0.0.21/24");
    expect((await up()).code).toBe(0);
    expect(await keysIn(9101)).toEqual({ ops: [NEXT] });
    expect(stepsOf(await up())).toEqual([]);
  });

  it("loses the old keys again that a restart as a new instance brings back", async () => {
    await configure("10.0.0.99/24", { rebootOnChange: true });
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect((await control().vms())[9101]?.guest).toMatchObject({ instances: 2, keys: { ops: [NEXT] } });
    expect(stepsOf(await up())).toEqual([]);
  });

  it("loses them also when somebody else restarts it later", async () => {
    await configure("10.0.0.77/24", { rebootOnChange: false });
    expect((await up()).code).toBe(0);
    await control().power(9101, "stopped");
    await control().power(9101, "running");
    expect(await keysIn(9101)).toEqual({ ops: [NEXT, OLD] });
    expect(stepsOf(await up())).toEqual(["update vm-9101"]);
    expect(await keysIn(9101)).toEqual({ ops: [NEXT] });
    expect(stepsOf(await up())).toEqual([]);
  });
});
