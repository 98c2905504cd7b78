import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goBuild, makeFolder } from "./build.ts";
import { buildKey } from "./key.ts";
import { type Paths, workshop } from "./paths.ts";
import type { Progress } from "./progress.ts";

/** The CLI, and the host for programs of Node: it is looked for beside the CLI, under its folder's name. */
const mains = ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "./pulumi-language-nodejs"];
const versionVariable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/**
 * Launches the host of dynamic providers. `node` is the one on PATH, as it is for the official hosts; exec, so that signals
 * reach it. The path is relative: the checkout may be moved.
 */
const dynamicHost = '#!/bin/sh\nexec node "$(dirname -- "$0")/../../toolchain/hosts/dynamic.mjs" "$@"\n';

export const engineSources = (paths: Paths): string => join(paths.sources, "engine");

function engineFolder(paths: Paths, version: string): string {
  const key = buildKey(engineSources(paths), version, dynamicHost);
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
      mains,
      ldflags: `-X ${versionVariable}=v${version}`,
      output: `${aside}/`,
      signal,
    };
    await goBuild(build, progress);
    const file = join(aside, "pulumi-resource-pulumi-nodejs");
    writeFileSync(file, dynamicHost);
    chmodSync(file, 0o755);
  });
  return folder;
}
