import { afterAll, beforeAll, expect, it } from "vitest";
import { openProject, type Project } from "./project.ts";

/** Hardware that is a clone's own. */

let project: Project;
const control = () => project.lab.control;
const configOf = async (vmId: number) => (await control().vms())[vmId]?.config ?? {};
const up = () => project.pulumi("up", ["--skip-preview"]);
const stepsOf = (run: { steps: { op: string; name: string }[] }) => run.steps.map(({ op, name }) => `${op} ${name}`);

beforeAll(async () => {
  project = await openProject();
  await control().mapping("gpu", [
    "id=10de:2684,iommugroup=14,node=pve1,path=0000:01:00.0",
    "id=10de:2684,iommugroup=15,node=pve1,path=0000:02:00.0",
  ]);
  await control().mapping("dongle", ["id=0403:6001,node=pve1"], "usb");
  await control().privileges("/", ["Sys.Audit", "Sys.Modify"]);
});
afterAll(() => project?.close());

/** The second clone has it all, the others are as the template. */
function special(own: object): Parameters<Project["configure"]>[0] {
  return ({ cloneSets }) => {
    const { clones = [] } = (cloneSets?.web ?? {}) as { clones?: object[] };
    clones[1] = { name: "web-2", vmId: 9102, ip: "10.0.0.22/24", gateway: "10.0.0.1", ...own };
  };
}

const OWN = {
  cpuLimit: 1.5,
  cpuUnits: 200,
  numa: true,
  hotplug: ["network", "disk", "memory"],
  startup: { order: 2, upSeconds: 30 },
  gpus: [{ mapping: "gpu", romBar: false }],
  usb: [{ mapping: "dongle" }],
  nics: [{ mac: "bc:24:11:00:00:22" }, { bridge: "vmbr0", vlan: 7, mac: "BC:24:11:00:00:23", ip: "10.7.0.22/24" }],
};

it("is what the config says, in PVE's options, and a second run finds it so", async () => {
  await project.configure(special(OWN));
  const run = await up();
  expect(run.code, run.output).toBe(0);
  const config = await configOf(9102);
  expect(config).toMatchObject({
    cpulimit: 1.5,
    cpuunits: 200,
    numa: 1,
    hotplug: "network,disk,memory",
    startup: "order=2,up=30",
    hostpci0: "mapping=gpu,pcie=1,rombar=0",
    usb0: "mapping=dongle",
    balloon: 0,
    net1: "virtio=BC:24:11:00:00:23,bridge=vmbr0,tag=7",
    ipconfig1: "ip=10.7.0.22/24",
  });
  expect(config.net0).toMatch(/^virtio=BC:24:11:00:00:22,bridge=vmbr0/);
  expect(Object.keys(await configOf(9101))).not.toContain("hostpci0");
  expect(stepsOf(await up())).toEqual([]);
  const refresh = await project.pulumi("refresh");
  expect(refresh.changes.update, refresh.output).toBeUndefined();
});

it("that somebody has changed is put back", async () => {
  await control().patchConfig(9102, { set: { cpulimit: "4" }, delete: ["net1"] });
  const refresh = await project.pulumi("refresh");
  expect(refresh.code, refresh.output).toBe(0);
  expect(stepsOf(await up())).toEqual(["update vm-9102"]);
  expect(await configOf(9102)).toMatchObject({ cpulimit: 1.5 });
  expect((await configOf(9102)).net1).toMatch(/^virtio=BC:24:11:00:00:23,/);
});

it("is the template's again when the config says no more of it", async () => {
  await project.configure((config) => {
    special({})?.(config);
    Object.assign(config.cloneSets?.web ?? {}, { rebootOnChange: true });
  });
  const run = await up();
  expect(run.code, run.output).toBe(0);
  const config = await configOf(9102);
  for (const key of ["cpulimit", "cpuunits", "hostpci0", "usb0", "startup", "net1", "ipconfig1"])
    expect(Object.keys(config), key).not.toContain(key);
  expect(stepsOf(await up())).toEqual([]);
});

it("that protects a clone keeps Pulumi and PVE from deleting it, until the config says otherwise", async () => {
  await project.configure(special({ protection: true }));
  expect((await up()).code).toBe(0);
  expect((await configOf(9102)).protection).toBe(1);
  const without = ({ cloneSets }: Project["config"]) => {
    const { clones = [] } = (cloneSets?.web ?? {}) as { clones?: object[] };
    clones.pop();
    clones.pop();
  };
  await project.configure(without);
  const refused = await project.pulumi("preview");
  expect([refused.code === 0, refused.output]).toEqual([false, expect.stringMatching(/vm-9102.*protect/s)]);
  await project.configure(({ cloneSets }) => {
    const { clones = [] } = (cloneSets?.web ?? {}) as { clones?: object[] };
    clones.push({ name: "web-2", vmId: 9102, ip: "10.0.0.22/24", gateway: "10.0.0.1", protection: false });
  });
  expect((await up()).code).toBe(0);
  await project.configure(({ cloneSets }) => {
    const { clones = [] } = (cloneSets?.web ?? {}) as { clones?: object[] };
    clones.pop();
  });
  expect((await up()).code).toBe(0);
  expect(Object.keys(await control().vms())).not.toContain("9102");
});

it("leaves nothing behind", async () => {
  const run = await project.pulumi("destroy");
  expect(run.code, run.output).toBe(0);
  expect(
    Object.keys(await control().vms())
      .map(Number)
      .filter((vmId) => vmId > 9000),
  ).toEqual([]);
});
