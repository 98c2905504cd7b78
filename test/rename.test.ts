import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureToolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { openProject, type Project, type Run } from "./project.ts";

/** What a run does to what is on the cluster: components are but names, and the engine's own provider is told the config. */
const changes = ({ steps }: Run) =>
  steps.filter(({ name }) => /^(\d+-|vm-)/.test(name)).map(({ op, name }) => `${op} ${name}`);

describe("a template that gets another key", () => {
  let project: Project;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;
  const state = () => project.lab.control.state();
  const snippets = async () => Object.keys((await state()).files).filter((file) => file.includes("snippets/"));
  /** Writes the config, and the password of the template as its owner would. */
  const configure = async (key: string, change?: (template: Record<string, unknown>) => void) => {
    await project.configure((config) => {
      const [template] = Object.values(config.templates ?? {});
      if (!template) throw new Error("no template");
      change?.(template as unknown as Record<string, unknown>);
      config.templates = { [key]: { ...template, nodes: ["pve1", "pve2"] } };
      config.cloneSets = {
        web: {
          template: key,
          nodes: ["pve1", "pve2"],
          clones: [1, 2].map((n) => ({ name: `web-${n}`, vmId: 9100 + n })),
        },
        db: { template: key, mode: "full", clones: [{ name: "db-1", vmId: 9201 }] },
      };
      if (config.cluster.ssh) config.cluster.ssh.nodes = project.lab.ssh.nodes;
    });
    const path = `proxmox-golden-fleet:templates.${key}.cloudInit.password`;
    const { dir: cwd, env } = project;
    const args = ["config", "set", "--stack", "test", "--secret", "--path", path, "correct horse"];
    await runPulumi(await ensureToolchain(), args, { cwd, env, onStdout: () => undefined });
  };

  beforeAll(async () => {
    project = await openProject();
    before = await state();
    await configure("noble");
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
  });
  afterAll(() => project?.close());

  it("keeps its VM, its files and its clones, and preview says so", async () => {
    const old = await state();
    await configure("golden");
    const preview = await project.pulumi("preview");
    expect([preview.code, preview.diagnostics]).toEqual([0, ""]);
    expect(preview.output).toContain("templates.noble is templates.golden now, its VM 9000 stays");
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    for (const each of [preview, run]) expect(changes(each).sort()).toEqual(["update 9000-vm", "update 9001-vm"]);
    const { vms, files } = await state();
    for (const vmId of [9000, 9001]) {
      const { name, description, ...same } = old.vms[vmId]?.config ?? {};
      expect(vms[vmId]?.config).toMatchObject(same);
      expect(vms[vmId]?.name).toBe("golden");
      const key = vmId === 9000 ? "golden" : "golden-pve2";
      expect(vms[vmId]?.config.description).toBe(
        String(description).replace(/resource=\S+/, `resource=templates.${key}`),
      );
    }
    for (const vmId of [9101, 9102, 9201]) expect(vms[vmId]).toEqual(old.vms[vmId]);
    expect(files).toEqual(old.files);
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
    expect((await project.pulumi("refresh", ["--expect-no-changes"])).code).toBe(0);
  });

  it("names new snippets after its first key, so that another name is no other file", async () => {
    await configure("golden", (template) => {
      template.vmId = 9000;
      template.cloudInit = { user: "ubuntu", packages: ["htop"] };
    });
    await project.configure((config) => {
      config.cloneSets = {};
    });
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect(run.code).toBe(0);
    expect(await snippets()).toHaveLength(12);
    for (const file of await snippets()) expect(file).toMatch(/snippets\/noble-(9000|pve2-9001)-/);
  });

  it("leaves nothing behind", async () => {
    expect((await project.pulumi("destroy")).code).toBe(0);
    const { vms, volumes, files } = await state();
    expect([vms, volumes, files]).toEqual([before.vms, before.volumes, before.files]);
  });
});
