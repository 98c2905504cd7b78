import { copyFile, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { TAKES_VALUE } from "../providers/run/commandLine.ts";
import { ensureToolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { openProject, type Project, type Run } from "./project.ts";

const PREFLIGHT = "--target=**Preflight::preflight";
const SET = "--target=**CloneSet::web";

let project: Project;
beforeAll(async () => {
  project = await openProject();
});
afterAll(() => project?.close());

const up = (...args: string[]) => project.pulumi("up", ["--skip-preview", ...args]);
const preview = (...args: string[]) => project.pulumi("preview", args);
const vms = () => project.lab.control.vms();
const vmIds = async () => Object.keys(await vms()).map(Number);
/** What a run did, by operation and name; providers and preflight's memory are nobody's VM. */
const steps = ({ steps }: Run) =>
  steps
    .filter(({ name }) => /^(vm-|9\d{3}-)/.test(name))
    .map(({ op, name }) => `${op} ${name}`)
    .sort();
const clonesOf = async (set = "web") => ((await project.outputs()).clones as Record<string, CloneInfo[]>)[set] ?? [];
const known = async (set?: string) => (await clonesOf(set)).map(({ name, status }) => `${name} ${status}`);
const notInRun = ({ output }: Run) => {
  const [, part = ""] = /Not part of this run\n((?: {6}.*\n)*)/.exec(output) ?? [];
  return part.trim().split(/\s*\n\s*/);
};
const web = (change: Record<string, unknown>) =>
  project.configure(({ cloneSets }) => {
    Object.assign(cloneSets?.web ?? {}, change);
  });
const clone = (n: number, change: object = {}) => ({
  name: `web-${n}`,
  vmId: 9100 + n,
  ip: `10.0.0.${20 + n}/24`,
  gateway: "10.0.0.1",
  ...change,
});
const clones = (count: number) => Array.from({ length: count }, (_, n) => clone(n + 1));

it("every option of the CLI that takes a value is known as one", async () => {
  const toolchain = await ensureToolchain();
  const env = { PULUMI_DEBUG_COMMANDS: "true", PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_UPDATE_CHECK: "true" };
  const silent = { onStdout: () => undefined, onStderr: () => undefined };
  const commands = ["up", "preview", "refresh", "destroy"];
  const helps = await Promise.all(commands.map((one) => runPulumi(toolchain, [one, "--help"], { env, ...silent })));
  const [shown, unknown] = [new Set<string>(), new Set<string>()];
  for (const { stdout } of helps) {
    for (const [, name = "", rest = ""] of stdout.matchAll(/^ +(?:-\w, )?--([a-z-]+)(.*)$/gm)) {
      // One with a value that may be left out has it after `=` only.
      if (!/^ (string|int|strings|stringArray|file)\b(?!\[=)/.test(rest)) continue;
      shown.add(name);
      if (!TAKES_VALUE.has(name)) unknown.add(name);
    }
  }
  expect([...shown]).toEqual(expect.arrayContaining(["target", "exclude", "message", "event-log"]));
  expect([...unknown]).toEqual([]);
});

describe("the first run", () => {
  it("without preflight says what to add, whatever it is about, and changes nothing", async () => {
    const targeted = await preview("--target", "**Clone::vm-9101");
    expect(targeted.code).not.toBe(0);
    expect(targeted.diagnostics).toContain("--target '**Preflight::preflight'");
    const run = await up("--exclude", "**Preflight::preflight");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("preflight: the resource by which a fleet knows its own VMs was never made");
    // One text, and not one for each resource that cannot be made.
    expect(run.diagnostics.trim().split("\n")).toHaveLength(2);
    expect(await vmIds()).toEqual([100, 900]);
  });

  it("without the template of its clones is refused by preflight", async () => {
    const run = await up("--exclude", "**VmTemplate$**");
    expect(run.diagnostics).toContain("cloneSets.web.template: template noble (VM 9000) was never made");
    expect([run.code, await vmIds()]).toEqual([1, [100, 900]]);
  });

  it("makes the template alone; outputs and summary say so", async () => {
    const run = await up("--exclude", "**CloneSet**");
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(await vmIds()).toEqual([100, 900, 9000]);
    expect(run.output).toContain("1 template, 0 clones");
    expect(notInRun(run)).toEqual(["cloneSets.web: 9101 to 9103 were not made"]);
    expect(await project.outputs()).toMatchObject({ clones: { web: [] }, templates: { noble: { vmId: 9000 } } });
  });
});

describe("a run of some clones", () => {
  it("makes these, and knows nothing of the others", async () => {
    const run = await up(PREFLIGHT, SET, "-t", "**Clone::vm-9101");
    expect([run.diagnostics, run.code, steps(run)]).toEqual(["", 0, ["create vm-9101"]]);
    expect(notInRun(run)).toEqual([
      "templates.noble: 9000 stays as it was",
      "cloneSets.web: 9102 to 9103 were not made",
    ]);
    expect(await known()).toEqual(["web-1 ready"]);
    const { ansibleInventory, sshConfig } = (await project.outputs()) as Record<string, string>;
    expect(sshConfig).toContain("Host web-1\n");
    expect(`${sshConfig}${ansibleInventory}`).not.toMatch(/web-[23]/);
  });

  it("without preflight does what it is told, but says once that nothing was looked at, and what to add", async () => {
    const run = await up("--target", "**Clone::vm-9102", "--target", "**Clone::vm-9103");
    expect([run.code, steps(run)]).toEqual([0, ["create vm-9102", "create vm-9103"]]);
    expect(run.diagnostics.trim()).toBe(
      "preflight is not part of this run, so nothing is looked at before it is changed: add --target '**Preflight::preflight'",
    );
    expect(notInRun(run)[0]).toBe("preflight: nothing was looked at beforehand");
    expect(await known()).toEqual(["web-1 ready", "web-2 ready", "web-3 ready"]);
  });

  it("leaves no trace: a run of everything changes nothing", async () => {
    const whole = await up();
    expect([whole.diagnostics, whole.code, steps(whole)]).toEqual(["", 0, []]);
    const again = await preview("--expect-no-changes");
    expect([again.code, again.output]).toEqual([0, expect.stringContaining("16 unchanged")]);
    expect(whole.output).not.toContain("Not part of this run");
  });

  it("leaves the rest as it is, in the outputs too: renamed, taken out of the list, its template changed", async () => {
    const before = (await project.outputs()).templates as { noble: { contentHash: string } };
    await project.configure(({ templates, cloneSets }) => {
      Object.assign(cloneSets?.web ?? {}, {
        clones: [clone(1, { tags: ["first"] }), clone(2, { name: "other" }), clone(4)],
        onTemplateChange: "replace",
      });
      Object.assign(templates?.noble ?? {}, { memoryMiB: 4096 });
      Object.assign(templates?.noble?.cloudInit ?? {}, { packages: ["qemu-guest-agent", "vim"] });
    });
    const run = await up("--exclude", "**::9000-*", "--exclude", "**::vm-9102", "--exclude", "**::vm-9103");
    expect([run.code, steps(run)]).toEqual([0, ["create vm-9104", "update vm-9101"]]);
    expect(notInRun(run)).toEqual([
      "templates.noble: 9000 stays as it was",
      "cloneSets.web: 9102 to 9103 stay as they were",
    ]);
    expect(await known()).toEqual(["web-1 ready", "web-2 ready", "web-4 ready", "web-3 ready"]);
    expect((await project.outputs()).templates).toEqual(before);
    // The new clone is one of the template that is there: it has that one's content in its mark, and its snippets.
    const all = await vms();
    const cicustom = (vmId: number) => all[vmId]?.config.cicustom;
    expect(cicustom(9104)).toBe(cicustom(9101));
    expect(String(all["9104"]?.config.description)).toContain(`content=${before.noble.contentHash}`);
  });

  it("goes on from there: what was left out is told by the next run of everything", async () => {
    const whole = await preview();
    expect(whole.diagnostics).toContain("template-in-use: templates.noble: the template has changed");
    // Everything depends on preflight, and the engine refuses to leave out what is to be deleted.
    const refused = await preview(PREFLIGHT, "-t", "**Clone::vm-9101");
    expect(refused.diagnostics).toContain("the config does not have 9103 any more");
    expect(refused.diagnostics).toContain("vm-9103' will be destroyed but was not specified in --target list");
    await project.configure(({ templates, cloneSets }) => {
      Object.assign(cloneSets?.web ?? {}, { clones: clones(3), onTemplateChange: "ignore" });
      Object.assign(templates?.noble ?? {}, { memoryMiB: undefined });
      Object.assign(templates?.noble?.cloudInit ?? {}, { packages: ["qemu-guest-agent"] });
    });
    const run = await up();
    expect([run.code, steps(run)]).toEqual([0, ["delete vm-9104", "update vm-9101"]]);
  });
});

describe("preflight", () => {
  const wrong = () =>
    project.configure(({ templates, cloneSets }) => {
      const noble = templates?.noble;
      if (noble && templates) templates.broken = { ...noble, vmId: 900, node: "pve7", name: "broken" };
      if (cloneSets) {
        cloneSets.bad = { template: "broken", pool: "nowhere", clones: [{ name: "bad-1", vmId: 100 }] };
      }
    });

  it("finds what is wrong with a part of the fleet, unless the run leaves that out", async () => {
    await wrong();
    const whole = await preview();
    expect(whole.code).not.toBe(0);
    for (const id of ["vmid-free", "pool-exists", "node-exists"]) expect(whole.diagnostics).toContain(id);
    const excluded = await preview("--exclude", "**::900-*", "--exclude", "**::vm-100");
    expect([excluded.diagnostics, excluded.code]).toEqual(["", 0]);
    expect(excluded.output).toContain("Nothing happens to the fleet: 1 template and 3 clones stay as they are.\n");
    const targeted = await preview(PREFLIGHT, "--target", "**Clone::vm-910*");
    expect([targeted.diagnostics, targeted.code]).toEqual(["", 0]);
  });

  it("does not remember what it has not looked at: the next run of everything looks", async () => {
    const run = await up(
      "--exclude",
      "**::900-*",
      "--exclude",
      "**::vm-100",
      "--exclude",
      "**CloneSet::bad",
      "--exclude",
      "**VmTemplate::broken",
    );
    expect([run.diagnostics, run.code, steps(run)]).toEqual(["", 0, []]);
    const whole = await preview();
    expect(whole.diagnostics).toContain("VMID 900 is taken");
    expect(whole.diagnostics).toContain("VMID 100 is taken");
    await project.configure(({ templates, cloneSets }) => {
      delete templates?.broken;
      delete cloneSets?.bad;
    });
  });

  it("looks at everything where the CLI cannot be found among the processes; that it was left out is said all the same", async () => {
    const toolchain = await ensureToolchain();
    const folder = join(project.dir, "bin");
    const other = join(folder, "other");
    await mkdir(folder);
    await copyFile(toolchain.pulumi, other);
    const options = { cwd: project.dir, env: { ...project.env, PATH: [toolchain.env.PATH, folder].join(delimiter) } };
    let output = "";
    const collect = (text: string) => {
      output += text;
    };
    await web({ clones: [clone(1), clone(2), clone(3, { tags: ["third"] })] });
    const args = ["up", "--yes", "--skip-preview", "--stack", "test", "--non-interactive", "--target", "**::vm-9103"];
    const run = await runPulumi({ ...toolchain, pulumi: other }, args, {
      ...options,
      onStdout: collect,
      onStderr: collect,
    });
    expect(run.code, output).toBe(0);
    expect(output).toContain("nothing is looked at before it is changed: add --target '**Preflight::preflight', or");
  });
});

describe("createClones: keep", () => {
  it("makes none of the clones that are new, and changes none of those that are there", async () => {
    await project.lab.control.power(9103, "stopped");
    const before = await vms();
    await web({
      createClones: "keep",
      clones: [clone(1, { cores: 4 }), clone(2, { name: "other" }), ...clones(5).slice(2)],
    });
    const run = await up();
    expect([run.diagnostics, run.code, steps(run)]).toEqual(["", 0, []]);
    expect(await vms()).toEqual(before);
    expect(notInRun(run)).toEqual([
      "cloneSets.web (createClones: keep): 9101 to 9103 stay as they were, 9104 to 9105 were not made",
    ]);
    expect(await known()).toEqual(["web-1 ready", "web-2 ready", "web-3 ready"]);
    const again = await preview("--expect-no-changes");
    expect([again.code, steps(again)]).toEqual([0, []]);
  });

  it("deletes what is taken out of the list, and changes what is there when it is set back", async () => {
    await web({ clones: [clone(1, { cores: 4 }), clone(2, { name: "other" })] });
    const kept = await preview();
    expect(steps(kept)).toEqual(["delete vm-9103"]);
    expect(kept.output).toContain("-  1 clone is deleted, with its disks: web-3\n");
    expect(kept.output).toContain("1 template and 2 clones stay as they are\n");
    await web({ createClones: true });
    expect(steps(await preview())).toEqual(["delete vm-9103", "update vm-9101", "update vm-9102"]);
    await web({ createClones: false });
    const gone = await preview();
    expect(gone.diagnostics).toContain(
      "createClones is false: 2 VMs of cloneSets.web are going to be deleted: web-1 (VM 9101), web-2 (VM 9102)",
    );
    expect(gone.diagnostics).toContain("createClones: keep");
    await web({ createClones: "keep", clones: clones(3) });
  });
});

describe("refresh and destroy", () => {
  it("of a part leave the rest, and say nothing of preflight", async () => {
    const refreshed = await project.pulumi("refresh", ["--skip-preview", "--target", "**::vm-9103"]);
    expect([refreshed.diagnostics, refreshed.code, refreshed.steps]).toEqual([
      "",
      0,
      [{ op: "refresh", name: "vm-9103" }],
    ]);
    const refused = await project.pulumi("destroy", ["--skip-preview", "--target", "**::9000-conversion"]);
    expect([refused.code !== 0, refused.diagnostics]).toEqual([true, expect.stringContaining("--target-dependents")]);
    const destroyed = await project.pulumi("destroy", ["--skip-preview", "--target", "**::vm-9103"]);
    expect([destroyed.diagnostics, destroyed.code, steps(destroyed)]).toEqual(["", 0, ["delete vm-9103"]]);
    expect(await vmIds()).toEqual([100, 900, 9000, 9101, 9102]);
  });

  it("of everything deletes clones that are kept, too", async () => {
    const run = await project.pulumi("destroy", ["--skip-preview"]);
    expect([run.diagnostics, run.code]).toEqual(["", 0]);
    expect(await vmIds()).toEqual([100, 900]);
  });
});
