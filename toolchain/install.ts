import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { DownloadError } from "./download.ts";
import { buildEngine, downloadEngine, type Engine, engineSources, presentEngine } from "./engine.ts";
import { checkGo } from "./go.ts";
import { findPulumi } from "./installed.ts";
import { InterruptedError, interruptible } from "./interrupt.ts";
import { withLock } from "./lock.mjs";
import { checkout, type Paths } from "./paths.ts";
import { buildPlugin, downloadPlugin, pluginPresent, pluginSources } from "./plugin.ts";
import { duration, type Progress, plainProgress, progressOn } from "./progress.ts";
import { pinnedVersions, type Versions } from "./versions.ts";

export interface Toolchain {
  /** Path of the CLI. */
  pulumi: string;
  /** Its version, without a `v`. */
  version: string;
  /** Where it comes from: `path` is the user's own CLI, the others are in this checkout. */
  origin: "path" | "downloaded" | "built";
  /** What to add to the environment of the CLI. */
  env: Record<string, string>;
}

export interface ToolchainOptions {
  /** Gets plain lines. Without it, progress goes to stderr, in place on a terminal. */
  log?: (line: string) => void;
  paths?: Paths;
}

/**
 * How many resources the engine works on at a time, instead of four per core of this machine. What the cluster does at a time
 * is bound by the program, per node and datastore: clones that wait for one node must not keep those of the others waiting.
 */
const PARALLEL = "128";

/** Set to `build` to build everything, even if `pulumi` is on PATH or could be downloaded. */
export const toolchainVariable = "GOLDEN_FLEET_TOOLCHAIN";

/**
 * Finds the engine; or downloads it together with the proxmoxve plugin; or builds both. Safe to call from several processes
 * at once.
 *
 * @throws Error with instructions if nothing of it is possible; InterruptedError after SIGINT, SIGTERM or SIGHUP
 */
export async function ensureToolchain(options: ToolchainOptions = {}): Promise<Toolchain> {
  const paths = options.paths ?? checkout;
  const progress = options.log === undefined ? progressOn(process.stderr) : plainProgress(options.log);
  const versions = pinnedVersions(paths.root);
  const onlyBuilt = process.env[toolchainVariable] === "build";
  mkdirSync(paths.home, { recursive: true });
  withoutLogs(paths.home);
  if (!onlyBuilt) {
    const own = await findPulumi(versions.engine, paths.home, progress);
    if (own !== undefined) return { ...own, origin: "path", env: environment(paths, own.pulumi) };
  }
  const parts = present(paths, versions, onlyBuilt);
  const { folder, origin } = isComplete(parts)
    ? parts.engine
    : await interruptible((signal) => {
        const lock = join(paths.store, "build.lock");
        return withLock(lock, () => obtain(paths, versions, onlyBuilt, progress, signal), {
          onWait: (pid) => progress.line(`process ${pid} is getting the toolchain: waiting for it`),
          onTick: (waitedMs) => {
            if (signal.aborted) {
              progress.end();
              throw new InterruptedError("waiting for the toolchain");
            }
            progress.status(`waiting for the toolchain: ${duration(waitedMs)}`);
          },
        });
      });
  const pulumi = join(folder, "pulumi");
  const env = environment(paths, pulumi);
  if (pluginPresent(paths, versions.proxmoxve, onlyBuilt)) {
    // Everything needed is there. If it is not, say so at once instead of trying to reach the internet.
    env.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION = "true";
  }
  return { pulumi, version: versions.engine, origin, env };
}

interface Parts {
  engine: Engine | undefined;
  plugin: boolean;
}

const present = (paths: Paths, versions: Versions, onlyBuilt: boolean): Parts => ({
  engine: presentEngine(paths, versions.engine, onlyBuilt),
  plugin: pluginPresent(paths, versions.proxmoxve, onlyBuilt),
});

const isComplete = (parts: Parts): parts is { engine: Engine; plugin: true } =>
  parts.engine !== undefined && parts.plugin;

/** Downloads what is missing, or else builds it. For the holder of the lock. */
async function obtain(
  paths: Paths,
  versions: Versions,
  onlyBuilt: boolean,
  progress: Progress,
  signal: AbortSignal,
): Promise<Engine> {
  const started = Date.now();
  const parts = present(paths, versions, onlyBuilt);
  // Another process may have been quicker.
  if (isComplete(parts)) return parts.engine;
  let notDownloaded: string | undefined;
  if (!onlyBuilt) {
    try {
      if (!parts.engine) progress.line("Pulumi is not on PATH: getting it for this checkout, once");
      parts.engine ??= await downloadEngine(paths, versions.engine, progress, signal);
      if (!parts.plugin) await downloadPlugin(paths, versions.proxmoxve, progress, signal);
      return parts.engine;
    } catch (error) {
      if (!(error instanceof DownloadError)) throw error;
      notDownloaded = error.message;
      progress.line(notDownloaded);
    }
    if (parts.engine?.origin === "downloaded") {
      progress.line("Pulumi will try to fetch the plugin itself");
      return parts.engine;
    }
  }
  await checkGo([engineSources(paths), pluginSources(paths)], notDownloaded);
  progress.line(
    "building it from Go modules, once (about 10 minutes on two cores; half a minute if Go has them already)",
  );
  const engine = parts.engine ?? (await buildEngine(paths, versions.engine, progress, signal));
  if (!parts.plugin) await buildPlugin(paths, versions.proxmoxve, progress, signal);
  progress.line(`toolchain: ready after ${duration(Date.now() - started)}`);
  return engine;
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

function environment(paths: Paths, pulumi: string): Record<string, string> {
  const path = [dirname(pulumi), join(paths.root, "node_modules", ".bin"), process.env.PATH];
  return {
    PATH: path.filter(Boolean).join(delimiter),
    PULUMI_HOME: paths.home,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_PARALLEL: process.env.PULUMI_PARALLEL ?? PARALLEL,
  };
}
