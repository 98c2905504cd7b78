import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { engineMissing, engineSources, ensureEngine } from "./engine.ts";
import { checkGo } from "./go.ts";
import { findPulumi } from "./installed.ts";
import { InterruptedError, interruptible } from "./interrupt.ts";
import { withLock } from "./lock.mjs";
import { checkout, type Paths } from "./paths.ts";
import { ensurePlugin, pluginMissing, pluginSources } from "./plugin.ts";
import { duration, type Progress, plainProgress, progressOn } from "./progress.ts";
import { pinnedVersions, type Versions } from "./versions.ts";

export interface Toolchain {
  /** Path of the CLI. */
  pulumi: string;
  /** Its version, without a `v`. */
  version: string;
  /** Whether the CLI and the plugin were built here; false: the user's own CLI. */
  built: boolean;
  /** What to add to the environment of the CLI. */
  env: Record<string, string>;
}

export interface ToolchainOptions {
  /** Gets plain lines. Without it, progress goes to stderr, in place on a terminal. */
  log?: (line: string) => void;
  paths?: Paths;
}

/** Set to `build` to build everything even if `pulumi` is on PATH. */
export const toolchainVariable = "GOLDEN_FLEET_TOOLCHAIN";

/**
 * Finds the engine, or builds it together with the proxmoxve plugin. Safe to call from several processes at once.
 *
 * @throws Error with instructions if neither is possible; InterruptedError after SIGINT, SIGTERM or SIGHUP
 */
export async function ensureToolchain(options: ToolchainOptions = {}): Promise<Toolchain> {
  const paths = options.paths ?? checkout;
  const progress = options.log === undefined ? progressOn(process.stderr) : plainProgress(options.log);
  const versions = pinnedVersions(paths.root);
  mkdirSync(paths.home, { recursive: true });
  withoutLogs(paths.home);
  if (process.env[toolchainVariable] !== "build") {
    const own = await findPulumi(versions.engine, paths.home, progress);
    if (own !== undefined) return { ...own, built: false, env: environment(paths, own.pulumi) };
  }
  const lock = join(paths.store, "build.lock");
  const folder = await interruptible((signal) =>
    withLock(lock, () => build(paths, versions, progress, signal), {
      onWait: (pid) => progress.line(`process ${pid} is building the toolchain: waiting for it`),
      onTick: (waitedMs) => {
        if (signal.aborted) {
          progress.end();
          throw new InterruptedError("waiting for the toolchain");
        }
        progress.status(`waiting for the toolchain: ${duration(waitedMs)}`);
      },
    }),
  );
  const pulumi = join(folder, "pulumi");
  return {
    pulumi,
    version: versions.engine,
    built: true,
    env: {
      ...environment(paths, pulumi),
      // Everything needed is there. If it is not, say so at once instead of trying to reach the internet.
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    },
  };
}

/**
 * The CLI keeps a debug log of each run in this folder of its home, which takes a third of the engine's time and up to
 * 500 MB. No setting turns that off; a file in the folder's place does, and nothing else misses it.
 */
function withoutLogs(home: string): void {
  const logs = join(home, "logs");
  if (statSync(logs, { throwIfNoEntry: false })?.isFile()) return;
  rmSync(logs, { recursive: true, force: true });
  writeFileSync(logs, "");
}

async function build(paths: Paths, versions: Versions, progress: Progress, signal: AbortSignal): Promise<string> {
  const started = Date.now();
  const missing = [engineMissing(paths, versions.engine), pluginMissing(paths, versions.proxmoxve)];
  if (missing.includes(true)) {
    await checkGo([engineSources(paths), pluginSources(paths)]);
    progress.line("Pulumi is not on PATH: building it from Go modules, once (about 10 minutes on two cores)");
  }
  const folder = await ensureEngine(paths, versions.engine, progress, signal);
  await ensurePlugin(paths, versions.proxmoxve, progress, signal);
  if (missing.includes(true)) progress.line(`toolchain: ready after ${duration(Date.now() - started)}`);
  return folder;
}

function environment(paths: Paths, pulumi: string): Record<string, string> {
  const path = [dirname(pulumi), join(paths.root, "node_modules", ".bin"), process.env.PATH];
  return {
    PATH: path.filter(Boolean).join(delimiter),
    PULUMI_HOME: paths.home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
}
