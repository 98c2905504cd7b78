import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goBuild, makeFolder } from "./build.ts";
import { runCommand } from "./command.ts";
import { download } from "./download.ts";
import { buildKey } from "./key.ts";
import { type Paths, workshop } from "./paths.ts";
import type { Progress } from "./progress.ts";
import { pluginRelease } from "./releases.ts";

const executable = "pulumi-resource-proxmoxve";
const keyFile = ".key";

export const pluginSources = (paths: Paths): string => join(paths.sources, "plugin");

/** Where the engine looks for the plugin, whoever put it there. */
const pluginFolder = (paths: Paths, version: string): string =>
  join(paths.home, "plugins", `resource-proxmoxve-v${version}`);

/** In the place of the key of what was built. */
const downloaded = "downloaded";

/** Whether the plugin is there; one that was built if `onlyBuilt`. What was built from other sources does not count. */
export function pluginPresent(paths: Paths, version: string, onlyBuilt: boolean): boolean {
  const folder = pluginFolder(paths, version);
  const key = keyIn(folder);
  if (key !== undefined) return key === buildKey(pluginSources(paths), version) || (!onlyBuilt && key === downloaded);
  // The engine fetches plugins, too, and marks one that is not complete.
  return !onlyBuilt && existsSync(join(folder, executable)) && !existsSync(`${folder}.partial`);
}

/** @throws DownloadError */
export function downloadPlugin(paths: Paths, version: string, progress: Progress, signal: AbortSignal): Promise<void> {
  return makeFolder(pluginFolder(paths, version), workshop(paths), async (aside) => {
    await download(pluginRelease(version), aside, progress, signal);
    writeFileSync(join(aside, keyFile), downloaded);
  });
}

export function buildPlugin(paths: Paths, version: string, progress: Progress, signal: AbortSignal): Promise<void> {
  return makeFolder(pluginFolder(paths, version), workshop(paths), async (aside) => {
    const output = join(aside, executable);
    const title = `building the proxmoxve plugin ${version}`;
    const ldflags = `-X main.version=${version}`;
    await goBuild({ title, module: pluginSources(paths), mains: ["."], ldflags, output, signal }, progress);
    const { code, stderr } = await runCommand(output, ["schema", "--skip-docs", "--skip-examples", "--out", aside]);
    if (code !== 0) throw new Error(`the proxmoxve plugin could not write its schema\n${stderr}`);
    writeFileSync(join(aside, keyFile), buildKey(pluginSources(paths), version));
  });
}

function keyIn(folder: string): string | undefined {
  const file = join(folder, keyFile);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
}
