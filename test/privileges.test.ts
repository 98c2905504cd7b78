import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PveClient } from "../proxmox/client.ts";
import { listRoles } from "../proxmox/cluster.ts";
import { openProject, type Project } from "./project.ts";

/** What the program needs on VMs, and on the pool that they are in. */
const IN_POOL = [
  ...["Pool.Audit", "VM.Allocate", "VM.Audit", "VM.Clone", "VM.Config.CDROM", "VM.Config.CPU", "VM.Config.Cloudinit"],
  ...["VM.Config.Disk", "VM.Config.HWType", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options"],
  "VM.PowerMgmt",
];

/** A user that has nothing but what the `pveum` lines of docs/preflight.md grant. */
async function grantAsDocumented({ lab }: Project) {
  const [id = "", secret = ""] = lab.rootToken.split("=");
  const root = new PveClient({
    endpoint: lab.endpoint,
    tls: { caFile: lab.caFile, insecure: false },
    login: { kind: "token", id, secret },
  });
  for (const { roleid } of await listRoles(root))
    if (roleid.startsWith("GoldenFleet")) await root.delete(`/access/roles/${roleid}`);
  const docs = await readFile(join(import.meta.dirname, "..", "docs", "preflight.md"), "utf8");
  for (const [, roleid, privs] of docs.matchAll(/^pveum role add (\S+) --privs "([^"]+)"$/gm))
    await root.post("/access/roles", { roleid, privs });
  // The lab's token is of a user of its own.
  const [users] = lab.apiToken.split("!");
  for (const [, path, roles, once] of docs.matchAll(
    /^pveum acl modify (\S+) --users golden@pve --roles (\S+)( --propagate 0)?$/gm,
  ))
    await root.put("/access/acl", { path, users, roles, propagate: once === undefined });
  await root.close();
}

describe("with exactly the privileges that docs/preflight.md grants", () => {
  let project: Project;
  beforeAll(async () => {
    project = await openProject();
    await grantAsDocumented(project);
  });
  afterAll(() => project?.close());

  it.each(["up", "refresh", "destroy"])("%s works", async (command) => {
    const run = await project.pulumi(command);
    expect(run.diagnostics).toBe("");
    expect(run.code).toBe(0);
  });

  it("nothing was refused on the way", async () => {
    const { api } = await project.lab.control.requests();
    const refused = api.filter(({ status }) => status === 403).map(({ method, path }) => `${method} ${path}`);
    expect(refused).toEqual([]);
  });
});

describe.each(["fleet", "prod/fleet"])("with rights on the pool %s and on no VM beside it", (pool) => {
  let project: Project;
  beforeAll(async () => {
    project = await openProject();
    const { control } = project.lab;
    await control.pool(pool);
    for (const path of ["/", "/vms", "/pool", "/mapping/pci"]) await control.privileges(path, []);
    await control.privileges(`/pool/${pool}`, IN_POOL);
    await project.configure(({ templates, cloneSets }) => {
      Object.assign(templates?.noble ?? {}, { pool });
      Object.assign(cloneSets?.web ?? {}, { pool, extraDisks: [{ sizeGiB: 1 }], keepDisks: true });
    });
  });
  afterAll(() => project?.close());

  const works = async (command: string) => {
    const run = await project.pulumi(command);
    expect(run.code, run.output).toBe(0);
    expect(run.diagnostics).toMatch(/^$/);
  };

  it.each(["preview", "up"])("%s works", works);

  it("clones are made anew with the disks that they have", async () => {
    await project.configure(({ cloneSets }) => {
      Object.assign(cloneSets?.web ?? {}, { mode: "full" });
    });
    await works("up");
    const { api } = await project.lab.control.requests();
    const moves = api.filter(({ path }) => path.endsWith("/move_disk"));
    expect(moves.map(({ status }) => status)).toEqual(Array(6).fill(200));
  });

  it.each(["refresh", "destroy"])("%s works", works);

  it("a VMID that is taken by a VM which the login does not see is refused, and the VM left alone", async () => {
    const { control } = project.lab;
    await control.addVm({ vmid: 9102, config: { name: "mail" } });
    const run = await project.pulumi("up");
    expect(run.code).not.toBe(0);
    expect(run.diagnostics).toContain("VMID 9102 is taken by a guest that this login may not see");
    expect((await control.vms())[9102]?.name).toBe("mail");
    await control.deleteVm(9102);
  });

  it("nothing of it is left", async () => {
    expect((await project.lab.control.state()).pools[pool]).toEqual([]);
  });
});
