import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";

/** The checkout this file lies in. */
export const repositoryRoot = path.resolve(import.meta.dirname, "..");

const requirementsFile = path.join(import.meta.dirname, "server", "requirements.txt");
const heartbeatMs = 5_000;
const candidates = ["python3", "python3.13", "python3.12", "python3.11", "python3.10", "python"];

/** The lab cannot be started for a reason that a person can do something about. */
export class LabError extends Error {
  override name = "LabError";
}

export type Log = (line: string) => void;

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

function run(command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", (error) => resolve({ code: null, output: error.message }));
    child.on("close", (code) => resolve({ code, output }));
  });
}

/** The first Python on PATH that is new enough. */
export async function findPython(): Promise<string> {
  const seen: string[] = [];
  for (const name of candidates) {
    const { code, output } = await run(name, ["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]);
    if (code !== 0) continue;
    const [major = 0, minor = 0] = output.trim().split(".").map(Number);
    if (major === 3 && minor >= 10) return name;
    seen.push(`${name} is ${output.trim()}`);
  }
  throw new LabError(
    `The lab needs Python 3.10 or newer (${seen.length ? seen.join(", ") : "there is none on PATH"}). ` +
      "Install it: Debian/Ubuntu `apt install python3 python3-venv`, Fedora `dnf install python3`, macOS `brew install python`.",
  );
}

async function step(log: Log, what: string, command: string, args: readonly string[]): Promise<Outcome> {
  const started = Date.now();
  log(`lab: ${what} …`);
  const beat = setInterval(() => {
    log(`lab: ${what} … ${Math.round((Date.now() - started) / 1000)} s`);
  }, heartbeatMs);
  try {
    const outcome = await run(command, args);
    if (outcome.code === 0) log(`lab: ${what}: done in ${((Date.now() - started) / 1000).toFixed(1)} s`);
    return outcome;
  } finally {
    clearInterval(beat);
  }
}

function tail(text: string): string {
  return text.trim().split("\n").slice(-12).join("\n");
}

/**
 * The Python of the lab's virtual environment, made on first use. The environment carries the key of its requirements
 * in its name and is moved into place when it is complete: one that was interrupted never counts.
 */
export async function labPython(log: Log): Promise<string> {
  const requirements = await readFile(requirementsFile, "utf8");
  const key = createHash("sha256").update(requirements).digest("hex").slice(0, 12);
  const home = path.join(repositoryRoot, ".toolchain");
  const venv = path.join(home, `lab-venv-${key}`);
  const python = path.join(venv, "bin", "python");
  const mark = path.join(venv, "complete");
  if (existsSync(mark) && existsSync(python)) return python;

  const base = await findPython();
  await mkdir(home, { recursive: true });
  // Virtual environments do not like to be moved: this one is built in its final place, and a mark says when it is done.
  const lock = path.join(home, `lab-venv-${key}.lock`);
  const release = await takeLock(lock, log, mark);
  if (release === undefined) return python;
  try {
    if (existsSync(mark)) return python;
    await rm(venv, { recursive: true, force: true });
    const made = await step(log, "making a Python environment for the lab", base, ["-m", "venv", venv]);
    if (made.code !== 0) {
      await rm(venv, { recursive: true, force: true });
      throw new LabError(
        `${base} cannot make a virtual environment: its venv module is missing or broken. ` +
          `Install it: Debian/Ubuntu \`apt install python3-venv\`.\n${tail(made.output)}`,
      );
    }
    const installed = await step(log, "installing fakepve and asyncssh (about 15 MB)", python, [
      ...["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--only-binary=:all:", "--no-deps"],
      ...["-r", requirementsFile],
    ]);
    if (installed.code !== 0) {
      throw new LabError(`pip could not install the lab's packages:\n${tail(installed.output)}`);
    }
    await writeFile(`${mark}.new`, `${key}\n`);
    await rename(`${mark}.new`, mark);
    return python;
  } finally {
    await release();
  }
}

/** One process at a time builds the environment; the others wait for its mark. Undefined: it is there now. */
async function takeLock(lock: string, log: Log, mark: string): Promise<(() => Promise<void>) | undefined> {
  let said = 0;
  for (;;) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      return () => rm(lock, { force: true });
    } catch {
      if (existsSync(mark)) return undefined;
      const owner = Number(await readFile(lock, "utf8").catch(() => "0"));
      // An empty file is one that is being written; it is left behind only if its writer died right then.
      const written = await stat(lock).catch(() => undefined);
      const age = written === undefined ? 0 : Date.now() - written.mtimeMs;
      if (owner ? !alive(owner) : age > heartbeatMs) {
        await rm(lock, { force: true });
        continue;
      }
      if (Date.now() - said > heartbeatMs) {
        log(`lab: waiting for process ${owner}, which is making the Python environment …`);
        said = Date.now();
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** True if a process of this id runs (it may be anybody's). One that has ended and waits to be reaped does not. */
export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    // No /proc here, or gone this moment: the signal's answer stands.
    return true;
  }
}
