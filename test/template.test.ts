import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

const names = (run: { steps: { name: string }[] }) => [...new Set(run.steps.map(({ name }) => name))].sort();

describe("a template and what hangs on it", () => {
  let project: Project;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;
  const vm = async (vmId: number) => (await project.lab.control.state()).vms[vmId];
  const snippets = async () =>
    Object.keys((await project.lab.control.state()).files)
      .filter((file) => file.includes("snippets/noble-9000"))
      .sort();
  /** Somebody removes the user-data snippet that the clones name. */
  const loseSnippet = async () => {
    const [file = ""] = String((await vm(9101))?.config.cicustom).match(/noble-9000-user-\w+\.yaml/) ?? [];
    await project.lab.control.removeFile("local", "snippets", file);
    return file;
  };
  const noble = () => {
    const template = project.config.templates?.noble;
    if (!template) throw new Error("the config has no template noble");
    return template;
  };

  beforeAll(async () => {
    project = await openProject();
    before = await project.lab.control.state();
    await project.configure((config) => {
      const clones = [{ name: "db-1", vmId: 9201 }];
      config.cloneSets = { db: { template: "noble", mode: "full", clones } };
    });
  });
  afterAll(() => project?.close());

  it("says what to do when a snippet cannot be uploaded", async () => {
    // The plugin asks the API first, so there is time to close the folder behind preflight's back.
    await project.lab.control.network({ latency: 0.3 });
    const run = await project.pulumi("up", ["--skip-preview"], {
      onOutput: (text) => {
        if (/checks passed/.test(text)) void project.lab.control.sftpDenied(true);
      },
    });
    await project.lab.control.sftpDenied(false);
    await project.lab.control.network({ latency: 0 });
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toMatch(/could not upload the snippet 9000-vendor \(node pve1, datastore local\)/);
    expect(run.diagnostics).toContain("preflight tries the SSH login and the snippets folder");
    expect(await vm(9000)).toBeUndefined();
  });

  it("is created after all when a datastore was locked at first", async () => {
    await project.lab.control.holdStorageLock("local-lvm");
    const run = await project.pulumi("up", [], {
      onOutput: (text) => {
        if (/retrying create/.test(text)) void project.lab.control.releaseStorageLock("local-lvm");
      },
    });
    expect(run.code).toBe(0);
    expect(run.output).toMatch(/PVE is busy \(.*got timeout\); try 2 of 4/);
    expect((await vm(9000))?.config).toMatchObject({ template: 1, scsi0: expect.stringMatching(/base-.*size=20G/) });
    expect((await vm(9201))?.status).toBe("running");
  });

  it("has its name, notes and tags changed in place, drift of its memory with them", async () => {
    await project.lab.control.patchConfig(9000, { set: { memory: 4096 } });
    const refresh = await project.pulumi("refresh");
    expect(refresh.changes.update).toBe(1);
    await project.configure(() => {
      Object.assign(noble(), { name: "golden", description: "ask ops", tags: ["base"] });
    });
    const run = await project.pulumi("up");
    expect(run.diagnostics).toBe("");
    // `default` is the engine's own provider of the dynamic resources: it is told the stack's config.
    expect(run.steps.filter(({ name }) => name !== "default")).toEqual([{ op: "update", name: "9000-vm" }]);
    expect(await vm(9000)).toMatchObject({
      name: "golden",
      config: { template: 1, memory: "2048", description: expect.stringContaining("ask ops") },
    });
  });

  it("gets its mark back when somebody has emptied its notes", async () => {
    const notes = (await vm(9000))?.config.description;
    await project.lab.control.patchConfig(9000, { set: { description: "" } });
    expect((await project.pulumi("up", ["--refresh"])).code).toBe(0);
    expect((await vm(9000))?.config).toMatchObject({ template: 1, description: notes });
  });

  it("is replaced when its content changes; a full clone stays as it is, with the snippet it was made with", async () => {
    const [clone, old] = [await vm(9201), await snippets()];
    await project.configure(() => {
      Object.assign(noble(), { memoryMiB: 3072 });
      noble().cloudInit = { ...noble().cloudInit, packages: ["qemu-guest-agent", "htop"] };
    });
    const preview = await project.pulumi("preview");
    expect(preview.steps).toContainEqual({ op: "replace", name: "9000-vm" });
    expect(preview.steps).toContainEqual({ op: "replace", name: "9000-conversion" });
    expect(preview.output).toMatch(/VM 9000 is going to be replaced.*cloneSets\.db/s);
    const run = await project.pulumi("up");
    expect(run.code).toBe(0);
    for (const each of [preview, run]) expect(names(each)).not.toContain("vm-9201");
    expect((await vm(9000))?.config).toMatchObject({ template: 1, memory: "3072" });
    expect(await vm(9201)).toEqual(clone);
    const kept = old.filter((file) => String(clone?.config.cicustom).includes(file.split("/").at(-1) ?? ""));
    expect(await snippets()).toEqual(expect.arrayContaining(kept));
    expect(kept).toHaveLength(2);
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it("is not replaced while a linked clone is alive: preview says so, names the set and the way out", async () => {
    await project.configure((config) => {
      const clones = [{ name: "web-1", vmId: 9101 }];
      config.cloneSets = { web: { template: "noble", clones } };
    });
    expect((await project.pulumi("up")).code).toBe(0);
    expect(await vm(9201)).toBeUndefined();
    await project.configure(() => {
      Object.assign(noble(), { memoryMiB: 4096 });
    });
    const state = await project.lab.control.state();
    const preview = await project.pulumi("preview");
    expect(preview.code).not.toBe(0);
    expect(preview.diagnostics).toMatch(/template-in-use: templates\.noble: .*1 of cloneSets\.web/);
    expect(preview.diagnostics).toContain("Give templates.noble.vmId a VMID that is free");
    expect(await project.lab.control.state()).toEqual(state);
  });

  it("gets a snippet back that is gone, and so do clones; preview shows no replacement of the VM", async () => {
    await project.configure((config) => {
      Object.assign(noble(), { memoryMiB: 3072 });
      const clones = [1, 2].map((n) => ({ name: `web-${n}`, vmId: 9100 + n }));
      config.cloneSets = { web: { template: "noble", clones } };
    });
    const gone = await loseSnippet();
    const preview = await project.pulumi("preview");
    expect([preview.code, preview.diagnostics]).toEqual([0, ""]);
    expect(preview.output).toContain(`${gone} is gone from datastore local; it is uploaded again`);
    expect(names(preview).filter((name) => /^(9000|vm)-/.test(name))).toEqual([
      "9000-snippets",
      "9000-user",
      "vm-9102",
    ]);
    const run = await project.pulumi("up", ["--skip-preview"]);
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    expect((await vm(9102))?.status).toBe("running");
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it("gets a snippet back that a refresh did not find, and nothing else is replaced", async () => {
    const gone = await loseSnippet();
    expect((await project.pulumi("refresh")).code).toBe(0);
    const preview = await project.pulumi("preview");
    expect(names(preview).filter((name) => /^(9000|vm)-/.test(name))).toEqual(["9000-snippets", "9000-user"]);
    expect((await project.pulumi("up", ["--skip-preview"])).code).toBe(0);
    expect(await snippets()).toContainEqual(expect.stringContaining(gone));
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it("cannot be turned back into a VM", async () => {
    await project.configure((config) => {
      config.cloneSets = {};
      noble().makeTemplate = false;
    });
    const preview = await project.pulumi("preview");
    expect(preview.code).not.toBe(0);
    expect(preview.diagnostics).toContain("VM 9000 is a template, and PVE cannot turn it back into a VM");
  });

  it("leaves nothing behind, not even old snippets", async () => {
    expect((await project.pulumi("destroy")).code).toBe(0);
    const after = await project.lab.control.state();
    expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
  });
});
