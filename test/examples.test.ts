import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse } from "yaml";
import { openProject, type Project, type StackConfig } from "./project.ts";

/** The stack files of docs/examples, each on the lab: up, unchanged, refresh, destroy. */

const FOLDER = join(import.meta.dirname, "..", "docs", "examples");
const PREFIX = "proxmox-golden-fleet:";

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));

/** A file's config as a user has written it, without the project's name in front of its keys. */
function read(file: string): StackConfig {
  const { config } = parse(readFileSync(join(FOLDER, file), "utf8")) as { config: Record<string, unknown> };
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [key.slice(PREFIX.length), value]),
  ) as unknown as StackConfig;
}

let project: Project;
let cluster: StackConfig["cluster"];

beforeAll(async () => {
  project = await openProject();
  ({ cluster } = project.config);
  const { control } = project.lab;
  await control.mapping("gpu", ["id=10de:2684,iommugroup=14,node=pve1,path=0000:01:00.0"]);
  await control.mapping("dongle", ["id=0403:6001,node=pve1"], "usb");
  await control.privileges("/", ["Sys.Audit", "Sys.Modify"]);
});
afterAll(() => project?.close());

/** The example on the lab: its way in, its images, its key. */
function onLab(config: StackConfig): StackConfig {
  const { image, ssh } = project.lab;
  const templates = Object.fromEntries(
    Object.entries(config.templates ?? {}).map(([key, template]) => {
      if ("existing" in template) return [key, template];
      const { sshPublicKeyFile, ...cloudInit } = template.cloudInit ?? {};
      return [
        key,
        {
          ...template,
          image: { url: image.url, checksum: image.checksum, keepImage: false },
          ...(template.cloudInit && {
            cloudInit: { ...cloudInit, ...(sshPublicKeyFile && { sshPublicKeyFile: ssh.publicKeyFile }) },
          }),
        },
      ];
    }),
  );
  const { endpoint: _e, tls: _t, ssh: _s, ...own } = config.cluster;
  return { ...config, cluster: { ...cluster, ...own }, templates };
}

const others = async () => {
  const { vms, files: stored } = await project.lab.control.state();
  return { vms, snippets: Object.keys(stored).filter((name) => name.includes(":snippets/")) };
};

it.each(files)("%s comes up, stays as it is, and goes away", async (file) => {
  const before = await others();
  const config = onLab(read(file));
  for (const key of Object.keys(project.config)) Reflect.deleteProperty(project.config, key);
  await project.configure((own) => Object.assign(own, config));
  const up = await project.pulumi("up", ["--skip-preview"]);
  expect(up.code, up.output).toBe(0);
  expect(up.output).not.toMatch(/failed/);
  const again = await project.pulumi("preview", ["--refresh", "--expect-no-changes"]);
  expect(again.code, again.output).toBe(0);
  const destroy = await project.pulumi("destroy");
  expect(destroy.code, destroy.output).toBe(0);
  expect(await others()).toEqual(before);
});
