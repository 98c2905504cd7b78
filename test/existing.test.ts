import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { upUntil } from "./kill.ts";
import { openProject, type Project } from "./project.ts";

/** Clones of a template that this stack did not make (VM 900 of the lab), and VMIDs and addresses from ranges. */

let project: Project;
const control = () => project.lab.control;
const vms = () => control().vms();
const up = (args: string[] = []) => project.pulumi("up", ["--skip-preview", ...args]);
const stepsOf = (run: { steps: { op: string; name: string }[] }) => run.steps.map(({ op, name }) => `${op} ${name}`);

beforeAll(async () => {
  project = await openProject();
  delete project.config.cluster.ssh;
});
afterAll(() => project?.close());

const configure = (templates: object, cloneSets: object) =>
  project.configure((config) => Object.assign(config, { templates, cloneSets }));

const debian = { existing: { name: "debian-template" } };
const set = (change: object = {}) => ({
  db: {
    template: "debian",
    clones: [{ name: "db-1", vmId: 9301, ip: "10.0.0.31/24", gateway: "10.0.0.1" }],
    ...change,
  },
});

describe("a template that was made elsewhere", () => {
  it("is cloned, named in the summary, and never changed", async () => {
    const before = (await vms())[900];
    await configure({ debian }, set({ diskGiB: 8, memoryMiB: 2048 }));
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(run.output).toMatch(/900 {2}debian-template {2}pve1 {2}template/);
    expect(run.output).toContain("made elsewhere");
    const { config = {} } = (await vms())[9301] ?? {};
    expect(config).toMatchObject({ ciuser: "debian", memory: "2048", ipconfig0: "ip=10.0.0.31/24,gw=10.0.0.1" });
    expect(config.scsi0).toMatch(/base-900-disk-0|vm-9301-disk-0/);
    expect(config.scsi0).toContain("size=8G");
    expect((await vms())[900]).toEqual(before);
    expect(stepsOf(await up())).toEqual([]);
    const refresh = await project.pulumi("refresh");
    expect(refresh.changes.update, refresh.output).toBeUndefined();
  });

  it("of another make is another template to its clones, who move to it if their set says so", async () => {
    await control().patchConfig(900, { set: { smbios1: "uuid=11111111-2222-4333-8444-555555555555" }, delete: [] });
    expect(stepsOf(await up())).toEqual(["update preflight"]);
    const disks = { extraDisks: [{ sizeGiB: 2 }], keepDisks: true };
    await configure({ debian }, set({ diskGiB: 8, memoryMiB: 2048, ...disks }));
    expect(stepsOf(await up())).toContain("update vm-9301");
    const own = String((await vms())[9301]?.config.scsi1);
    expect(own).toMatch(/size=2G/);
    const [, name = ""] = own.split(",")[0]?.split(":") ?? [];
    await control().volume("local-lvm", name, { used: 1_234_567_890 });
    await configure({ debian }, set({ diskGiB: 8, memoryMiB: 2048, ...disks, onTemplateChange: "replace" }));
    const preview = await project.pulumi("preview");
    expect(preview.output).toContain("another template");
    expect(stepsOf(await up())).toContain("create-replacement vm-9301");
    expect(String((await vms())[9301]?.config.scsi1)).toMatch(/size=2G/);
    const { volumes } = await control().state();
    const ofClone = Object.values(volumes["pve1/local-lvm"] ?? {}).filter(({ vmid }) => vmid === 9301);
    expect(ofClone.map(({ used }) => used)).toContain(1_234_567_890);
    expect(stepsOf(await up())).toEqual([]);
  });

  // What else is no way to find one: config/existing.test.ts and providers/resolve/existing.test.ts.
  it.each([
    [
      { name: "debian-templat" },
      /templates\.debian\.existing: found name "debian-templat", but no template .* 900 "debian-template" on node pve1/,
    ],
    [{ vmId: 100 }, /found VM 100 "nas" on node pve1, which is no template; expected one: `qm template 100` on pve1/],
  ])("that is not found by %j stops the run before anything is changed", async (existing, text) => {
    const before = await vms();
    await configure({ debian: { existing } }, set());
    const run = await project.pulumi("preview");
    expect([run.code === 0, run.output]).toEqual([false, expect.stringMatching(text)]);
    expect(await vms()).toEqual(before);
  });

  it("is not looked for where the API does not answer, and that is said with everything else", async () => {
    const { endpoint } = project.config.cluster;
    await configure({ debian }, set({ cores: 0 }));
    await project.configure((config) => {
      config.cluster.endpoint = "https://127.0.0.1:9";
    });
    const run = await project.pulumi("preview");
    expect(run.output).toMatch(/FAIL api-reachable/);
    expect(run.output).toContain("cloneSets.db.cores: found 0");
    expect(run.output).toContain("templates.debian.existing: this could not be looked up on the cluster");
    await project.configure((config) => {
      config.cluster.endpoint = endpoint;
    });
  });

  it("that has snippets and notes of its own keeps them; its notes are nobody's identity", async () => {
    await configure({ debian }, set({ diskGiB: 8, memoryMiB: 2048, onTemplateChange: "replace" }));
    await up();
    const cicustom = "network=local:snippets/net.yaml";
    await control().patchConfig(900, { set: { description: "Ask Mia first." }, delete: [] });
    expect(stepsOf(await up())).toEqual([]);
    await control().patchConfig(900, { set: { cicustom }, delete: [] });
    const refused = await project.pulumi("preview");
    expect([refused.code === 0, refused.output]).toEqual([false, expect.stringMatching(/10\.0\.0\.31\/24.*net\.yaml/)]);
    await control().patchConfig(900, { set: {}, delete: ["cicustom", "description"] });
  });

  it("that is gone stops nothing, as long as no clone has to be made of it", async () => {
    const { name, config } = (await vms())[900] ?? {};
    await control().patchConfig(900, { set: {}, delete: ["template"] });
    await configure({ debian }, set({ diskGiB: 8, memoryMiB: 3072 }));
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(run.output).toMatch(
      /found name "debian-template", but no template.*its clones stay as they are, and no new one can be made/,
    );
    expect(stepsOf(run)).toContain("update vm-9301");
    await configure(
      { debian },
      {
        db: { template: "debian", clones: [{ name: "db-2", vmId: 9302 }] },
      },
    );
    expect((await project.pulumi("preview")).output).toMatch(/FAIL config: templates\.debian\.existing: found name/);
    await control().patchConfig(900, { set: { template: 1 }, delete: [] });
    expect((await vms())[900]).toMatchObject({ name, config: { scsi0: config?.scsi0 } });
    await configure({ debian }, set({ diskGiB: 8, memoryMiB: 3072 }));
  });

  it("without a cloud-init drive carries no addresses", async () => {
    await control().patchConfig(900, { set: {}, delete: ["ide2"] });
    await configure({ debian }, set());
    const run = await project.pulumi("preview");
    expect(run.output).toMatch(
      /cloneSets\.db\.clones\[0\]\.ip: found 10\.0\.0\.31\/24, but template 900 \(templates\.debian\) has no cloud-init drive/,
    );
    await control().patchConfig(900, { set: { ide2: "local-lvm:vm-900-cloudinit,media=cdrom" }, delete: [] });
  });

  it("goes on when its clones and its key go", async () => {
    const before = (await vms())[900];
    const run = await project.pulumi("destroy");
    expect(run.code, run.output).toBe(0);
    expect((await vms())[900]).toEqual(before);
    expect(Object.keys(await vms())).not.toContain("9301");
  });
});

describe("VMIDs and addresses from ranges", () => {
  const ranged = (change: object = {}) => ({
    web: {
      template: "debian",
      count: 3,
      namePattern: "web-{n}",
      vmIds: "9100-9105",
      ips: "10.0.0.1-10.0.0.14/28",
      gateway: "10.0.0.1",
      start: false,
      ...change,
    },
  });
  const made = async () =>
    Object.entries(await vms())
      .filter(([id]) => Number(id) > 9000)
      .map(([id, { name, config }]) => `${id} ${name} ${config.ipconfig0}`);

  it("are the first that nobody has, and preview says which", async () => {
    // The lab's nodes have 10.0.0.1 and 10.0.0.2.
    await control().patchConfig(100, { set: { ipconfig0: "ip=10.0.0.3/24" }, delete: [] });
    await configure({ debian }, ranged());
    const preview = await project.pulumi("preview");
    expect(preview.output).toContain(
      "cloneSets.web chooses: web-1 VMID 9100 10.0.0.4/28, web-2 VMID 9101 10.0.0.5/28, web-3 VMID 9102 10.0.0.6/28",
    );
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await made()).toEqual([
      "9100 web-1 ip=10.0.0.4/28,gw=10.0.0.1",
      "9101 web-2 ip=10.0.0.5/28,gw=10.0.0.1",
      "9102 web-3 ip=10.0.0.6/28,gw=10.0.0.1",
    ]);
    const again = await up();
    expect([stepsOf(again), again.output.includes("chooses")]).toEqual([[], false]);
  });

  it("are kept when the set grows, when others come into the range, and when its names change", async () => {
    await configure({ debian }, ranged({ count: 4, namePattern: "app-{n}" }));
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await made()).toEqual([
      "9100 app-1 ip=10.0.0.4/28,gw=10.0.0.1",
      "9101 app-2 ip=10.0.0.5/28,gw=10.0.0.1",
      "9102 app-3 ip=10.0.0.6/28,gw=10.0.0.1",
      "9103 app-4 ip=10.0.0.7/28,gw=10.0.0.1",
    ]);
    expect(stepsOf(await up())).toEqual([]);
  });

  it("that a run without preflight has chosen are kept all the same", async () => {
    await configure({ debian }, ranged({ count: 5, namePattern: "app-{n}", ips: "10.0.0.1-10.0.0.14/28" }));
    const part = await up(["--target", "**::vm-9104"]);
    expect(part.code, part.output).toBe(0);
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect((await made()).map((line) => line.split(" ", 2).join(" "))).toEqual(
      [0, 1, 2, 3, 4].map((n) => `${9100 + n} app-${n + 1}`),
    );
  });

  it("are those of a killed run again: what it had begun is taken up, nothing is made twice", async () => {
    const config = ranged({ template: "debian", count: 6, namePattern: "kill-{n}", ips: "10.0.0.1-10.0.0.14/28" });
    await configure({ debian }, { kill: { ...config.web, vmIds: "9400-9449" } });
    project.env.GOLDEN_FLEET_ALLOW_DELETES = "10";
    await control().timeScale(1);
    const isHalf = async () =>
      Object.entries(await vms()).some(([id, { config }]) => Number(id) >= 9400 && config.lock === "clone");
    await upUntil(project, isHalf);
    await control().timeScale(0.02);
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect((await made()).map((line) => line.split(" ", 2).join(" "))).toEqual(
      [0, 1, 2, 3, 4, 5].map((n) => `${9400 + n} kill-${n + 1}`),
    );
    expect(stepsOf(await up())).toEqual([]);
  });

  it("stay as they are when a range is changed, nothing is made, and it is changed back", async () => {
    const before = await made();
    const config = ranged({ count: 6, namePattern: "kill-{n}" });
    await configure({ debian }, { kill: { ...config.web, vmIds: "9500-9549" } });
    // Pulumi refuses what would delete the clones, after preflight has stored its choice.
    const part = await up(["--target", "**Preflight::preflight"]);
    expect(part.output).toContain("kill-1 VMID 9500");
    await configure({ debian }, { kill: { ...config.web, vmIds: "9400-9449" } });
    expect(stepsOf(await up()).filter((step) => step.includes("vm-"))).toEqual([]);
    expect(await made()).toEqual(before);
  });

  it("that are too few are told before anything is changed", async () => {
    await configure({ debian }, ranged({ count: 8, namePattern: "app-{n}", ips: "10.0.0.1-10.0.0.14/28" }));
    const run = await project.pulumi("preview");
    expect(run.output).toMatch(
      /cloneSets\.web\.vmIds: found 9100-9105, which has too few free VMIDs: 2 more clones need one; expected a larger range/,
    );
  });

  it("leave nothing behind", async () => {
    expect((await project.pulumi("destroy")).code).toBe(0);
    expect(await made()).toEqual([]);
  });
});
