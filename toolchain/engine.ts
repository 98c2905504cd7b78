import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goBuild, makeFolder } from "./build.ts";
import { buildKey } from "./key.ts";
import { type Paths, workshop } from "./paths.ts";
import type { Progress } from "./progress.ts";

const mainPackage = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";
const versionVariable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/** The executables that the CLI expects beside itself, and the module here that does their work. */
const hosts = {
  "pulumi-language-nodejs": "language",
  "pulumi-resource-pulumi-nodejs": "dynamic",
};

export const engineSources = (paths: Paths): string => join(paths.sources, "engine");

function engineFolder(paths: Paths, version: string): string {
  const key = buildKey(engineSources(paths), version, ...Object.values(hosts).map(launcher));
  return join(paths.store, `engine-${version}-${key}`);
}

export const engineMissing = (paths: Paths, version: string): boolean => !existsSync(engineFolder(paths, version));

/** The folder of the CLI and its hosts: built if it is not there. */
export async function ensureEngine(
  paths: Paths,
  version: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<string> {
  const folder = engineFolder(paths, version);
  if (existsSync(folder)) return folder;
  await makeFolder(folder, workshop(paths), async (aside) => {
    const build = {
      title: `building Pulumi's CLI ${version}`,
      module: engineSources(paths),
      main: mainPackage,
      ldflags: `-X ${versionVariable}=v${version}`,
      output: join(aside, "pulumi"),
      signal,
    };
    await goBuild(build, progress);
    for (const [name, host] of Object.entries(hosts)) {
      const file = join(aside, name);
      writeFileSync(file, launcher(host));
      chmodSync(file, 0o755);
    }
  });
  return folder;
}

/**
 * `node` is the one on PATH, as it is for the official hosts; exec, so that signals reach it. The path is relative:
 * the checkout may be moved.
 */
function launcher(host: string): string {
  return `#!/bin/sh\nexec node "$(dirname -- "$0")/../../toolchain/hosts/start.mjs" ${host} "$@"\n`;
}
