import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listGuests } from "../proxmox/guests.ts";
import { ensureToolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { openOldProject } from "./oldStates.ts";
import type { Project } from "./project.ts";
import { clientOf } from "./provider.ts";

/** What the fixture has: templates with their replicas, and clones; the last of them was never made. */
const TEMPLATES = [9000, 9001, 9010, 9020];
const CLONES = [9101, 9102, 9201, 9202, 9301];
const FAILED = 9302;

describe("a fleet that the first version of this program has made", () => {
  let project: Project;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;
  const state = () => project.lab.control.state();

  beforeEach(async () => {
    project = await openOldProject();
    before = await state();
  });
  afterEach(() => project?.close());

  it("is kept by up: nothing is replaced or deleted, no VM is touched, and preview says so", async () => {
    const preview = await project.pulumi("preview");
    const run = await project.pulumi("up", ["--skip-preview"]);
    for (const { code, steps, diagnostics } of [preview, run]) {
      expect([code, diagnostics]).toEqual([0, ""]);
      const told = new Map(steps.map(({ op, name }) => [name, op]));
      for (const vmId of TEMPLATES) {
        expect(told.get(`${vmId}-vm`)).toBeUndefined();
        expect(told.get(`${vmId}-conversion`)).toBe("update");
        expect(told.get(`${vmId}-guard`)).toBe("create");
      }
      for (const vmId of CLONES) expect(told.get(`vm-${vmId}`)).toBeUndefined();
      // What it could not make, it tries again.
      expect(told.get(`vm-${FAILED}`)).toBe("update");
      expect([...told.values()].filter((op) => op !== "update" && op !== "create")).toEqual([]);
    }
    const { vms, files } = await state();
    expect(vms[FAILED]?.status).toBe("running");
    for (const vmId of [...TEMPLATES, ...CLONES]) expect(vms[vmId]).toEqual(before.vms[vmId]);
    expect(files).toMatchObject(before.files);
    const { deployment } = JSON.parse(await project.state()) as { deployment: { resources: { urn: string }[] } };
    const names = deployment.resources.map(({ urn }) => urn.split("::").at(-1));
    expect(names.filter((name) => /^(noble|small|plain|web|db|cache)(-|$)/.test(name ?? "")).sort()).toEqual(
      // Components: they are called as the config calls them.
      ["cache", "db", "noble", "noble-pve2", "plain", "small", "web"],
    );
    for (const command of ["preview", "refresh", "up"])
      expect((await project.pulumi(command, ["--expect-no-changes"])).code).toBe(0);
  });

  it("keeps its VMs when templates get other keys in the same run", async () => {
    const keys: Record<string, string> = { noble: "golden", small: "tiny", plain: "simple" };
    await project.configure((config) => {
      const { templates = {}, cloneSets = {} } = config;
      config.templates = Object.fromEntries(Object.entries(templates).map(([key, one]) => [keys[key] ?? key, one]));
      for (const set of Object.values(cloneSets)) set.template = keys[set.template] ?? set.template;
    });
    const preview = await project.pulumi("preview");
    const run = await project.pulumi("up", ["--skip-preview"]);
    for (const { code, steps, diagnostics } of [preview, run]) {
      expect([code, diagnostics]).toEqual([0, ""]);
      const lost = steps.filter(({ op }) => op !== "update" && op !== "create");
      expect(lost.map(({ op, name }) => `${op} ${name}`).sort()).toEqual(
        // Components are but names.
        ["noble", "noble-pve2", "plain", "small"].map((name) => `delete ${name}`),
      );
    }
    const { vms, files } = await state();
    for (const vmId of CLONES) expect(vms[vmId]).toEqual(before.vms[vmId]);
    for (const vmId of TEMPLATES) expect(vms[vmId]?.config.smbios1).toEqual(before.vms[vmId]?.config.smbios1);
    expect(vms["9001"]).toMatchObject({
      name: "golden",
      config: { description: expect.stringContaining("resource=templates.golden-pve2 ") },
    });
    expect(Object.keys(files)).toEqual(expect.arrayContaining(Object.keys(before.files)));
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it("is refreshed without a change", async () => {
    const run = await project.pulumi("refresh");
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    expect(run.steps.filter(({ op }) => op === "delete")).toEqual([]);
    expect((await project.pulumi("preview")).changes.replace).toBeUndefined();
    expect((await state()).vms).toEqual(before.vms);
  });

  it("is destroyed, also without an up before; a snippet that somebody's VM names stays, and that is said", async () => {
    const { lab } = project;
    const [user = ""] =
      String(before.vms["9010"]?.config.cicustom).match(/local:snippets\/small-9010-user-\w+\.yaml/) ?? [];
    await lab.control.addVm({ vmid: 500, config: { name: "byhand", cicustom: `user=${user}` } });
    const run = await project.pulumi("destroy");
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    expect(run.output).toContain(`${user} stays: VM 500 "byhand" on node pve1 uses it`);
    const { vms, volumes, files } = await state();
    expect(Object.keys(vms).filter((vmId) => Number(vmId) >= 9000)).toEqual([]);
    expect(Object.values(volumes).flatMap((all) => Object.keys(all).filter((name) => /-9\d\d\d-/.test(name)))).toEqual(
      [],
    );
    expect(Object.keys(files).filter((file) => file.includes(":snippets/"))).toEqual([`pve1/${user}`]);
  });

  it("does not have somebody's VM deleted that stands on a template's VMID by now", async () => {
    const { lab } = project;
    await lab.control.deleteVm(9020);
    await lab.control.addVm({ vmid: 9020, node: "pve2", config: { name: "payroll" } });
    const client = clientOf(lab);
    await expect.poll(async () => (await listGuests(client)).find(({ vmid }) => vmid === 9020)?.name).toBe("payroll");
    await client.close();
    const payroll = (await state()).vms["9020"];
    expect((await project.pulumi("refresh")).code).toBe(0);
    const refused = await project.pulumi("destroy");
    expect(refused.code).not.toBe(0);
    expect(refused.diagnostics).toContain('VMID 9020 is taken by VM "payroll" on node pve2');
    const commands = [...refused.diagnostics.matchAll(/pulumi state delete '([^']+)'/g)].map(([, urn = ""]) => urn);
    expect(commands.map((urn) => urn.split("::").at(-1))).toEqual(["plain-9020-conversion", "plain-9020-vm"]);
    for (const urn of commands) {
      const quiet = { cwd: project.dir, env: project.env, onStdout: () => undefined };
      const args = ["state", "delete", "--yes", "--stack", "test", urn];
      expect((await runPulumi(await ensureToolchain(), args, quiet)).code).toBe(0);
    }
    expect((await project.pulumi("destroy")).code).toBe(0);
    expect((await state()).vms["9020"]).toEqual(payroll);
  });
});
