import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PveClient } from "../proxmox/client.ts";
import { listRoles } from "../proxmox/cluster.ts";
import { openProject, type Project } from "./project.ts";

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
  for (const [, path, users, roles, once] of docs.matchAll(
    /^pveum acl modify (\S+) --users (\S+) --roles (\S+)( --propagate 0)?$/gm,
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
