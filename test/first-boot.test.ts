import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { PUBLIC_KEY } from "../config/testing.ts";
import { openProject, type Project } from "./project.ts";

/** First boots of clone sets and clones that are not their template's. */

/** A variable of the shell, which is no word of ours. */
const SHELL = "$" + "{name}";
const PASSWORD = "correct horse battery";

let project: Project;
const control = () => project.lab.control;
const configOf = async (vmId: number) => (await control().vms())[vmId]?.config ?? {};
const up = (args: string[] = []) => project.pulumi("up", ["--skip-preview", ...args]);
const stepsOf = (run: { steps: { op: string; name: string }[] }) => run.steps.map(({ op, name }) => `${op} ${name}`);
const namesOf = (run: { steps: { name: string }[] }) => new Set(run.steps.map(({ name }) => name));

/** The snippets on the node, by file name. */
const snippets = () =>
  new Map(
    globSync(`${project.lab.dir}/**/snippets/*.yaml`).map(
      (file) => [basename(file), readFileSync(file, "utf8")] as const,
    ),
  );

/** The snippet that a VM boots with. */
async function snippetOf(vmId: number, kind: "user" | "vendor" | "network") {
  const volume = new RegExp(`${kind}=local:snippets/([^,]+)`).exec(String((await configOf(vmId)).cicustom))?.[1];
  const text = volume === undefined ? undefined : snippets().get(volume);
  return text === undefined ? undefined : (parse(text) as Record<string, unknown>);
}

beforeAll(async () => {
  project = await openProject();
});
afterAll(() => project?.close());

describe("by snippets", () => {
  const clones = [
    { name: "web-1", vmId: 9101, ip: "10.0.0.21/24" },
    { name: "web-2", vmId: 9102, ip: "10.0.0.22/24", cloudInit: { user: "admin", sshPublicKeys: [PUBLIC_KEY] } },
  ];
  const web = (change: object = {}) => ({
    web: {
      template: "noble",
      gateway: "10.0.0.1",
      clones,
      cloudInit: { packages: ["nginx"], runCommands: [`echo {name} {vmId} {ip} {n} ${SHELL}`] },
      ...change,
    },
  });

  it("add to what the template does, with the clone's own words in the texts", async () => {
    await project.configure((config) => Object.assign(config, { cloneSets: web() }));
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await snippetOf(9101, "vendor")).toMatchObject({
      packages: ["qemu-guest-agent", "nginx"],
      runcmd: [expect.arrayContaining(["qemu-guest-agent"]), `echo web-1 9101 10.0.0.21 1 ${SHELL}`],
      updates: { network: { when: ["boot-new-instance", "boot"] } },
    });
    expect(await snippetOf(9102, "vendor")).toMatchObject({
      runcmd: [expect.anything(), `echo web-2 9102 10.0.0.22 2 ${SHELL}`],
    });
    expect(await snippetOf(9101, "user")).toMatchObject({ user: "ubuntu" });
    expect(await snippetOf(9102, "user")).toMatchObject({ user: "admin", ssh_authorized_keys: [PUBLIC_KEY] });
    expect((await project.outputs()).ansibleInventory).toMatch(
      /web-2:\s+ansible_host: 10\.0\.0\.22\s+ansible_user: admin/,
    );
    expect(stepsOf(await up())).toEqual([]);
    const refresh = await project.pulumi("refresh");
    expect(refresh.changes.update, refresh.output).toBeUndefined();
  });

  it("are of new guests: those that have booted keep what they have, and preview says so once", async () => {
    const before = await configOf(9101);
    const more = [...clones, { name: "web-3", vmId: 9103, ip: "10.0.0.23/24" }];
    const change = { clones: more, cloudInit: { packages: ["caddy"], runCommands: ["echo {name}"] } };
    await project.configure((config) => Object.assign(config, { cloneSets: web(change) }));
    const preview = await project.pulumi("preview");
    expect(preview.output).toMatch(
      /2 clones keep what their first boot has made of them: web-1, web-2 \(another cloudInit/,
    );
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await configOf(9101)).toEqual(before);
    expect(await snippetOf(9101, "vendor")).toMatchObject({ packages: ["qemu-guest-agent", "nginx"] });
    expect(await snippetOf(9103, "vendor")).toMatchObject({ packages: ["qemu-guest-agent", "caddy"] });
    expect(stepsOf(await up())).toEqual([]);
  });

  it("reach all clones where their set says onTemplateChange: replace", async () => {
    const change = { cloudInit: { packages: ["caddy"], runCommands: ["echo {name}"] }, onTemplateChange: "replace" };
    await project.configure((config) => Object.assign(config, { cloneSets: web(change) }));
    const preview = await project.pulumi("preview");
    expect(preview.output).toMatch(
      /2 clones are made anew, and their disks are lost: web-1, web-2 \(another cloudInit\)/,
    );
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(await snippetOf(9101, "vendor")).toMatchObject({ packages: ["qemu-guest-agent", "caddy"] });
    expect(stepsOf(await up())).toEqual([]);
  });

  it("are not touched by another address or name, which a guest takes as it did before", async () => {
    const [first, ...others] = clones;
    const moved = [{ ...first, ip: "10.0.0.31/24" }, ...others];
    const change = {
      clones: moved,
      cloudInit: { packages: ["caddy"], runCommands: ["echo {name} {ip}"] },
      onTemplateChange: "ignore",
    };
    await project.configure((config) => Object.assign(config, { cloneSets: web(change) }));
    expect((await up()).code).toBe(0);
    const again = { ...change, clones: [{ ...first, ip: "10.0.0.41/24" }, ...others], onTemplateChange: "replace" };
    await project.configure((config) =>
      Object.assign(config, { cloneSets: web({ ...again, onTemplateChange: "ignore" }) }),
    );
    const run = await up();
    expect([...namesOf(run)].filter((name) => name.startsWith("vm-"))).toEqual(["vm-9101"]);
    expect(run.output).not.toContain("keep what");
  });

  it("upload a file again that is gone", async () => {
    const [gone = ""] = [...snippets()].find(([, text]) => text.includes("10.0.0.41")) ?? [];
    await control().removeFile("local", "snippets", gone);
    expect((await up()).code).toBe(0);
    expect([...snippets().keys()]).toContain(gone);
  });

  it("keep a password out of the state", async () => {
    const password = await project.encrypt(PASSWORD);
    await project.configure((config) =>
      Object.assign(config, { cloneSets: web({ clones: clones.slice(0, 1), cloudInit: { password } }) }),
    );
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(`${run.output}${await project.state()}`).not.toContain(PASSWORD);
    expect(await project.state()).not.toContain("$6$");
  });

  // The others: config/rules/firstBoot.test.ts and config/rules/wholeTexts.test.ts.
  it.each([
    [{ cloudInit: { password: "secret" } }, "cloneSets.web.cloudInit.password: found in plain text; expected a secret"],
  ])("that are wrong stop the run: %j", async (change, text) => {
    await project.configure((config) => Object.assign(config, { cloneSets: web(change) }));
    const run = await project.pulumi("preview");
    expect([run.code === 0, run.output]).toEqual([false, expect.stringContaining(text)]);
  });

  it("leave nothing behind", async () => {
    await project.configure((config) => Object.assign(config, { cloneSets: web() }));
    const run = await project.pulumi("destroy");
    expect(run.code, run.output).toBe(0);
    expect([...snippets().keys()]).toEqual([]);
  });
});

describe("by Proxmox VE's own fields, without SSH", () => {
  const db = (cloudInit: object, change: object = {}) => ({
    db: { template: "debian", clones: [{ name: "db-1", vmId: 9301 }], cloudInit, start: false, ...change },
  });
  const templates = { debian: { existing: { vmId: 900 } } };

  it("are user, password and keys of a clone", async () => {
    const password = await project.encrypt(PASSWORD);
    await project.configure((config) => {
      delete config.cluster.ssh;
      Object.assign(config, { templates, cloneSets: db({ user: "ops", password, sshPublicKeys: [PUBLIC_KEY] }) });
    });
    const run = await up();
    expect(run.code, run.output).toBe(0);
    const config = await configOf(9301);
    expect(config).toMatchObject({ ciuser: "ops", sshkeys: encodeURIComponent(PUBLIC_KEY) });
    expect(config.cicustom).toBeUndefined();
    expect(await project.state()).not.toContain("$6$");
    expect(stepsOf(await up())).toEqual([]);
    const refresh = await project.pulumi("refresh");
    expect(refresh.changes.update, refresh.output).toBeUndefined();
  });

  it("are in no state any more when the config does not have them", async () => {
    await project.configure((config) => {
      const { cloudInit: _, ...rest } = db({}).db;
      Object.assign(config, { templates, cloneSets: { db: rest } });
    });
    const run = await up();
    expect(run.code, run.output).toBe(0);
    expect(run.output).not.toContain("made anew");
    expect(await project.state()).not.toContain("$6$");
    expect(stepsOf(await up())).toEqual([]);
  });

  it("are all that there is: more needs SSH, and is refused", async () => {
    await project.configure((config) => Object.assign(config, { templates, cloneSets: db({ packages: ["nginx"] }) }));
    const run = await project.pulumi("preview");
    expect(run.output).toContain(
      "cloneSets.db.cloudInit: packages needs a snippet; snippets are uploaded by SSH, and cluster.ssh is missing",
    );
  });

  it("leave nothing behind", async () => {
    expect((await project.pulumi("destroy")).code).toBe(0);
    expect(Object.keys(await control().vms())).not.toContain("9301");
  });
});
