import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { listGuests } from "../proxmox/guests.ts";
import { ensureToolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { forget } from "./kill.ts";
import { openProject, type Project, type Run } from "./project.ts";
import { clientOf } from "./provider.ts";

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
});

describe("a template that was removed by hand, and on whose VMID somebody else has a VM by now", () => {
  let project: Project;
  const stranger = async () => (await project.lab.control.state()).vms["9000"];
  const pulumi = async (...args: string[]) => {
    const { dir: cwd, env } = project;
    const quiet = { cwd, env, onStdout: () => undefined, onStderr: () => undefined };
    return runPulumi(await ensureToolchain(), [...args, "--stack", "test"], quiet);
  };
  /** The commands that an error gives, run as they stand there. */
  const follow = async ({ diagnostics }: Run) => {
    const urns = [...diagnostics.matchAll(/pulumi state delete '([^']+)'/g)].map(([, urn = ""]) => urn);
    expect(urns.length).toBeGreaterThan(0);
    for (const urn of urns) expect((await pulumi("state", "delete", "--yes", urn)).code).toBe(0);
  };

  beforeEach(async () => {
    project = await openProject();
    await project.configure((config) => {
      config.cloneSets = {};
    });
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
  });
  afterEach(() => project?.close());

  /** What the cluster's list says by then, which lags. */
  const takeOver = async (node: string) => {
    const { lab } = project;
    await lab.control.deleteVm(9000);
    const config = { name: "payroll", scsi0: "local-lvm:vm-9000-disk-7,size=1G" };
    await lab.control.addVm({ vmid: 9000, node, config });
    const client = clientOf(lab);
    const name = async () => (await listGuests(client)).find(({ vmid }) => vmid === 9000)?.name;
    await expect.poll(name).toBe("payroll");
    await client.close();
    return stranger();
  };

  it.each(["pve1", "pve2"])("is not deleted by destroy, on %s, and refresh does not disarm that", async (node) => {
    const payroll = await takeOver(node);
    for (const command of ["destroy", "refresh", "destroy"]) {
      const run = await project.pulumi(command);
      expect(run.code === 0).toBe(command === "refresh");
      if (command === "destroy") {
        expect(run.diagnostics).toMatch(
          /VMID 9000 is taken by VM "payroll" on node pve\d, which this stack did not make/,
        );
      }
      expect(await stranger()).toEqual(payroll);
    }
    await follow(await project.pulumi("destroy"));
    const run = await project.pulumi("destroy");
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    expect(await stranger()).toEqual(payroll);
  });

  it("is not deleted when the template gets another VMID, as preflight advises", async () => {
    const payroll = await takeOver("pve2");
    expect((await project.pulumi("refresh")).code).toBe(0);
    const refused = await project.pulumi("up");
    expect(refused.diagnostics).toMatch(/VMID 9000 is taken by VM "payroll" on node pve2/);
    await project.configure(({ templates }) => {
      Object.assign(templates?.noble ?? {}, { vmId: 9010 });
    });
    const moved = await project.pulumi("up");
    expect(moved.code).not.toBe(0);
    expect(moved.diagnostics).toMatch(/VMID 9000 is taken by VM "payroll" on node pve2/);
    await follow(moved);
    const run = await project.pulumi("up");
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
    expect((await project.lab.control.state()).vms["9010"]?.config.template).toBe(1);
    expect(await stranger()).toEqual(payroll);
  });

  it("is not deleted when the state has no conversion, as after a run that was killed before it", async () => {
    await forget(project, ["9000-conversion"]);
    const payroll = await takeOver("pve2");
    expect((await project.pulumi("refresh")).code).toBe(0);
    expect((await project.pulumi("destroy")).code).toBe(0);
    expect(await stranger()).toEqual(payroll);
  });

  it("is not changed by an update that preflight has let pass", async () => {
    await project.configure(({ templates }) => {
      Object.assign(templates?.noble ?? {}, { description: "ask ops" });
    });
    await project.lab.control.network({ latency: 0.3 });
    let payroll: Promise<unknown> | undefined;
    const run = await project.pulumi("up", ["--skip-preview"], {
      onOutput: (text) => {
        if (/checks passed/.test(text)) payroll ??= takeOver("pve1");
      },
    });
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toMatch(/could not change the VM .*VMID 9000 is taken by VM "payroll"/s);
    expect(await stranger()).toEqual(await payroll);
  });

  it("is made anew by up when its VMID is free again, whatever the refresh has taken up", async () => {
    await takeOver("pve2");
    expect((await project.pulumi("refresh")).code).toBe(0);
    await project.lab.control.deleteVm(9000);
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    expect(await stranger()).toMatchObject({ node: "pve1", name: "noble", config: { template: 1 } });
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
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

  it("deletes nothing when the project's name before a section is mistyped", async () => {
    const file = join(project.dir, "Pulumi.test.yaml");
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace("proxmox-golden-fleet:cloneSets", "proxmox-golden-flet:cloneSets"));
    const run = await project.pulumi("preview");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain(
      'proxmox-golden-flet:cloneSets: found a key of another project; did you mean "proxmox-golden-fleet:cloneSets"?',
    );
    expect(run.steps.filter(({ op }) => op === "delete")).toEqual([]);
    await writeFile(file, text);
  });

  it("deletes no set that has left the config, until somebody says how many may go", async () => {
    const { cloneSets } = project.config;
    await project.configure((config) => {
      config.cloneSets = {};
    });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toMatch(/cloneSets\.web: 3 of 3 clones are no longer in the config.*web-1 \(VM 9101\)/);
    expect(run.diagnostics).toContain("pulumi config set allowDeletes 3");
    expect(Object.keys((await project.lab.control.state()).vms)).toContain("9101");
    project.env.GOLDEN_FLEET_ALLOW_DELETES = "3";
    const preview = await project.pulumi("preview");
    expect([preview.code, preview.changes.delete]).toEqual([0, 4]);
    expect(preview.diagnostics).toContain("3 of 3 clones are no longer in the config");
    delete project.env.GOLDEN_FLEET_ALLOW_DELETES;
    await project.configure((config) => Object.assign(config, { cloneSets }));
  });

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
