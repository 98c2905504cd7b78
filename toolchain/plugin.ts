import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goBuild, makeFolder } from "./build.ts";
import { runCommand } from "./command.ts";
import { buildKey } from "./key.ts";
import { type Paths, workshop } from "./paths.ts";
import type { Progress } from "./progress.ts";

const executable = "pulumi-resource-proxmoxve";
const keyFile = ".key";

export const pluginSources = (paths: Paths): string => join(paths.sources, "plugin");

/** Where the engine looks for the plugin, whether it was built here or fetched by the engine. */
export const pluginFolder = (paths: Paths, version: string): string =>
  join(paths.home, "plugins", `resource-proxmoxve-v${version}`);

const pluginKey = (paths: Paths, version: string): string => buildKey(pluginSources(paths), version);

export const pluginMissing = (paths: Paths, version: string): boolean =>
  keyIn(pluginFolder(paths, version)) !== pluginKey(paths, version);

/** The folder of the proxmoxve plugin: built if it is not there. */
export async function ensurePlugin(
  paths: Paths,
  version: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<string> {
  const folder = pluginFolder(paths, version);
  if (!pluginMissing(paths, version)) return folder;
  await makeFolder(folder, workshop(paths), async (aside) => {
    const output = join(aside, executable);
    const title = `building the proxmoxve plugin ${version}`;
    const ldflags = `-X main.version=${version}`;
    await goBuild({ title, module: pluginSources(paths), mains: ["."], ldflags, output, signal }, progress);
    const { code, stderr } = await runCommand(output, ["schema", "--skip-docs", "--skip-examples", "--out", aside]);
    if (code !== 0) throw new Error(`the proxmoxve plugin could not write its schema\n${stderr}`);
    writeFileSync(join(aside, keyFile), pluginKey(paths, version));
  });
  return folder;
}

function keyIn(folder: string): string | undefined {
  const file = join(folder, keyFile);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
