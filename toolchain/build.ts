import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CommandResult, runCommand } from "./command.ts";
import { InterruptedError } from "./interrupt.ts";
import { duration, type Progress } from "./progress.ts";

export interface GoBuild {
  /** What is said to the user. */
  title: string;
  /** The folder with go.mod. */
  module: string;
  /** The main packages: paths in the module, or import paths. */
  mains: string[];
  ldflags: string;
  /** The executable; with a slash at its end the folder for several. */
  output: string;
  signal: AbortSignal;
}

/** Compiles a Go program, and says every second how far it is. */
export async function goBuild(build: GoBuild, progress: Progress): Promise<void> {
  const started = Date.now();
  let what = "resolving packages";
  const heartbeat = setInterval(
    () => progress.status(`${build.title}: ${duration(Date.now() - started)}, ${what}`),
    1_000,
  );
  // CGO off: no C compiler needed, and no C library of this machine in the result. macOS's keychain needs it on.
  const env = { ...process.env, GOWORK: "off", ...(process.platform === "linux" ? { CGO_ENABLED: "0" } : {}) };
  const go = async (args: string[], onStderrLine: (line: string) => void) =>
    demand(
      await runCommand("go", args, { cwd: build.module, env, onStderrLine, signal: build.signal }),
      `go ${args[0]}`,
      build,
    );
  try {
    let fetched = 0;
    const list = await go(["list", "-mod=readonly", "-deps", ...build.mains], (line) => {
      fetched += 1;
      what = `${fetched} modules fetched, now ${line.replace(/^go: downloading /, "")}`;
    });
    const total = list.stdout.trim().split("\n").length;
    what = "compiling";
    let compiled = 0;
    const flags = ["-v", "-trimpath", "-mod=readonly", "-ldflags", `-s -w ${build.ldflags}`, "-o", build.output];
    await go(["build", ...flags, ...build.mains], (line) => {
      if (line.startsWith("go: ")) return;
      compiled += 1;
      what = `${compiled} packages compiled of at most ${total}, now ${line}`;
    });
  } finally {
    clearInterval(heartbeat);
    progress.end();
  }
  progress.line(`${build.title}: done in ${duration(Date.now() - started)}`);
}

function demand(result: CommandResult, what: string, build: GoBuild): CommandResult {
  if (result.code === 0) return result;
  if (build.signal.aborted || result.signal !== undefined) throw new InterruptedError(build.title);
  const output = result.stderr.split("\n").filter((line) => !line.startsWith("go: downloading "));
  const end = output.slice(-30).join("\n").trim();
  throw new Error(`${build.title}: ${what} failed in ${build.module}\n${end || result.failure?.message || ""}`);
}

/**
 * Makes a folder that is either complete or not there: `make` works in a folder of `workshop`, which is moved to its
 * place when all is done. Whatever stops it in between, the place stays as it was.
 *
 * @param workshop on the same file system as `target`; whoever calls this holds a lock on it
 */
export async function makeFolder(
  target: string,
  workshop: string,
  make: (folder: string) => Promise<void>,
): Promise<void> {
  // Whatever is left there is of a run that did not end.
  rmSync(workshop, { recursive: true, force: true });
  // Named by process: a compiler that outlived its killed parent must not write into this folder.
  const unfinished = join(workshop, `${process.pid}`);
  mkdirSync(unfinished, { recursive: true });
  try {
    await make(unfinished);
  } catch (error) {
    rmSync(workshop, { recursive: true, force: true });
    throw error;
  }
  mkdirSync(dirname(target), { recursive: true });
  if (existsSync(target)) renameSync(target, join(workshop, "replaced"));
  renameSync(unfinished, target);
  rmSync(workshop, { recursive: true, force: true });
}
