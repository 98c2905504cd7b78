import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PUBLIC_KEY } from "../config/testing.ts";
import { PveClient } from "../proxmox/client.ts";
import { openProject, type Project } from "./project.ts";

const PASSWORD = "correct horse";
const OTHER_KEY = PUBLIC_KEY.replace("demo", "other");

describe("a fleet whose cloud-init fits PVE's own fields, without SSH", () => {
  let project: Project;
  let client: PveClient;
  let before: Awaited<ReturnType<Project["lab"]["control"]["state"]>>;
  const vms = async () => (await project.lab.control.state()).vms;
  /** What PVE writes onto the cloud-init drive of a VM. */
  const dump = (vmId: number) => client.get<string>(`/nodes/pve1/qemu/${vmId}/cloudinit/dump`, { type: "user" });
  const noble = () => {
    const template = project.config.templates?.noble;
    if (!template) throw new Error("the config has no template noble");
    return template;
  };

  beforeAll(async () => {
    project = await openProject();
    const { lab } = project;
    before = await lab.control.state();
    const [id = "", secret = ""] = lab.rootToken.split("=");
    client = new PveClient({
      endpoint: lab.endpoint,
      tls: { caFile: lab.caFile, insecure: false },
      login: { kind: "token", id, secret },
    });
    await lab.control.sftpDenied(true);
    const password = await project.encrypt(PASSWORD);
    await project.configure((config) => {
      const { ssh: _, ...cluster } = config.cluster;
      config.cluster = cluster;
      noble().cloudInit = { user: "ops", password, sshPublicKeys: [PUBLIC_KEY] };
      config.cloneSets = {
        web: {
          template: "noble",
          mode: "full",
          onTemplateChange: "replace",
          maxUnavailable: 2,
          rebootOnChange: true,
          clones: [
            { name: "web-1", vmId: 9101, ip: "10.0.0.21/24", gateway: "10.0.0.1" },
            { name: "web-2", vmId: 9102 },
          ],
        },
      };
    });
  });
  afterAll(async () => {
    await client?.close();
    await project?.close();
  });

  it("comes up: PVE's fields have the user, its clones inherit them, and nobody asks for SSH", async () => {
    const run = await project.pulumi("up");
    expect([run.code, run.diagnostics]).toEqual([0, ""]);
    const names = run.steps.map(({ name }) => name);
    expect(names.filter((name) => name.startsWith("9000-")).sort()).toEqual([
      "9000-conversion",
      "9000-guard",
      "9000-image",
      "9000-vm",
    ]);
    expect((await project.lab.control.requests()).ssh).toEqual([]);
    const all = await vms();
    for (const vmId of [9000, 9101, 9102]) {
      const { config } = all[vmId] ?? { config: {} };
      expect(config).toMatchObject({
        ciuser: "ops",
        ciupgrade: 0,
        cipassword: expect.stringMatching(/^\$6\$/),
        sshkeys: encodeURIComponent(PUBLIC_KEY),
      });
      expect(config).not.toHaveProperty("cicustom");
    }
  });

  it("has host name, user, keys and password on the drive of each clone, and no package upgrade", async () => {
    const all = await vms();
    for (const [vmId, name] of [
      [9101, "web-1"],
      [9102, "web-2"],
    ] as const) {
      const text = await dump(vmId);
      expect(text).toContain(`hostname: ${name}\n`);
      expect(text).toContain(`fqdn: ${name}.example.net\n`);
      expect(text).toContain("user: ops\n");
      expect(text).toContain(`ssh_authorized_keys:\n  - ${PUBLIC_KEY}\n`);
      expect(text).toMatch(/^password: \$6\$/m);
      expect(text).not.toContain("package_upgrade");
      expect(all[vmId]?.guest?.name).toBe(name);
    }
    expect(all[9101]?.guest?.ipconfigs).toEqual({ ipconfig0: "ip=10.0.0.21/24,gw=10.0.0.1" });
    expect(all[9102]?.guest?.ipconfigs).toEqual({ ipconfig0: "ip=dhcp" });
  });

  it("keeps its password in no plain text, not even hashed", async () => {
    const state = await project.state();
    expect(state).toContain("userAccount");
    for (const text of [PASSWORD, "$6$"]) expect(state).not.toContain(text);
  });

  it("is unchanged at a second run, and a refresh finds no drift", async () => {
    expect((await project.pulumi("up")).steps).toEqual([]);
    const refresh = await project.pulumi("refresh");
    expect([refresh.code, Object.keys(refresh.changes)]).toEqual([0, ["same"]]);
  });

  it("gets drift of its user put back; a clone with another name is a new instance, as preview has said", async () => {
    await project.lab.control.patchConfig(9000, { set: { ciuser: "eve" } });
    await project.configure(({ cloneSets }) => {
      const set = cloneSets?.web;
      if (set && "clones" in set && set.clones[0]) set.clones[0].name = "www-1";
    });
    const run = await project.pulumi("up", ["--refresh"]);
    expect(run.code).toBe(0);
    expect(run.output).toContain("as a new cloud-init instance: user, password and keys are set again");
    const all = await vms();
    expect(all[9101]?.guest).toMatchObject({ name: "www-1", instances: 2 });
    expect(all[9000]?.config).toMatchObject({ template: 1, ciuser: "ops", ciupgrade: 0 });
    expect((await project.pulumi("preview", ["--expect-no-changes"])).code).toBe(0);
  });

  it("is made anew with another key, its clones too", async () => {
    await project.configure(() => {
      noble().cloudInit = { ...noble().cloudInit, sshPublicKeys: [OTHER_KEY] };
    });
    const run = await project.pulumi("up", ["--diff"]);
    expect(run.code).toBe(0);
    expect(run.output).toContain("userAccount");
    for (const text of [PASSWORD, "$6$"]) expect(run.output).not.toContain(text);
    expect(run.steps).toContainEqual({ op: "replace", name: "9000-vm" });
    for (const vmId of [9101, 9102]) expect(await dump(vmId)).toContain(`  - ${OTHER_KEY}\n`);
  });

  it("is told what needs SSH, before anything is done", async () => {
    await project.configure(() => {
      noble().cloudInit = { ...noble().cloudInit, packages: ["qemu-guest-agent"] };
    });
    const state = await project.lab.control.state();
    const preview = await project.pulumi("preview");
    expect(preview.code).not.toBe(0);
    expect(preview.diagnostics).toMatch(
      /templates\.noble\.cloudInit\.packages: it needs a snippet; .*cluster\.ssh is missing/,
    );
    expect(await project.lab.control.state()).toEqual(state);
  });

  it("is made anew with snippets once there is SSH", async () => {
    await project.lab.control.sftpDenied(false);
    await project.configure((config) => {
      const { privateKeyFile, nodes } = project.lab.ssh;
      config.cluster.ssh = { privateKeyFile, nodes: { ...nodes } };
    });
    const run = await project.pulumi("up");
    expect(run.code).toBe(0);
    expect(run.steps).toContainEqual({ op: "replace", name: "9000-vm" });
    const all = await vms();
    for (const vmId of [9000, 9101, 9102]) {
      expect(all[vmId]?.config.cicustom).toMatch(/user=local:snippets\/noble-9000-user-/);
      expect(all[vmId]?.config).not.toHaveProperty("ciuser");
    }
  });

  it("leaves nothing behind", async () => {
    expect((await project.pulumi("destroy")).code).toBe(0);
    const after = await project.lab.control.state();
    expect([after.vms, after.volumes, after.files]).toEqual([before.vms, before.volumes, before.files]);
  });
});
