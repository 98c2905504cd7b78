import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goBuild, makeFolder } from "./build.ts";
import { download } from "./download.ts";
import { buildKey } from "./key.ts";
import { type Paths, workshop } from "./paths.ts";
import type { Progress } from "./progress.ts";
import { engineRelease } from "./releases.ts";

/** The CLI, and the host for programs of Node: it is looked for beside the CLI, under its folder's name. */
const mains = ["github.com/pulumi/pulumi/pkg/v3/cmd/pulumi", "./pulumi-language-nodejs"];
const versionVariable = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";

/**
 * Launches the host of dynamic providers. `node` is the one on PATH, as it is for the official hosts; exec, so that signals
 * reach it. The path is relative: the checkout may be moved.
 */
const dynamicHost = '#!/bin/sh\nexec node "$(dirname -- "$0")/../../toolchain/hosts/dynamic.mjs" "$@"\n';

export const engineSources = (paths: Paths): string => join(paths.sources, "engine");

/** Where each of the two is, if it is there. */
const engineFolders = (paths: Paths, version: string) => ({
  downloaded: join(paths.store, `engine-${version}-${process.platform}-${process.arch}`),
  built: join(paths.store, `engine-${version}-${buildKey(engineSources(paths), version, dynamicHost)}`),
});

export interface Engine {
  /** Has the CLI and its hosts. */
  folder: string;
  origin: "downloaded" | "built";
}

/** The engine that is there; one that was built if `onlyBuilt`. */
export function presentEngine(paths: Paths, version: string, onlyBuilt: boolean): Engine | undefined {
  const { downloaded, built } = engineFolders(paths, version);
  if (!onlyBuilt && existsSync(downloaded)) return { folder: downloaded, origin: "downloaded" };
  return existsSync(built) ? { folder: built, origin: "built" } : undefined;
}

/** @throws DownloadError */
export async function downloadEngine(
  paths: Paths,
  version: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Engine> {
  const { downloaded: folder } = engineFolders(paths, version);
  await makeFolder(folder, workshop(paths), async (aside) => {
    await download(engineRelease(version), aside, progress, signal);
    // Pulumi's own knows nothing of fastStart.mjs.
    writeDynamicHost(aside);
  });
  return { folder, origin: "downloaded" };
}

export async function buildEngine(
  paths: Paths,
  version: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Engine> {
  const { built: folder } = engineFolders(paths, version);
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
    writeDynamicHost(aside);
  });
  return { folder, origin: "built" };
}

function writeDynamicHost(folder: string): void {
  const file = join(folder, "pulumi-resource-pulumi-nodejs");
  writeFileSync(file, dynamicHost);
  chmodSync(file, 0o755);
}
