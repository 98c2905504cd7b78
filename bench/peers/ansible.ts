import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findPython } from "../../lab/venv.ts";
import { runCommand } from "../../toolchain/command.ts";
import { buildKey } from "../../toolchain/key.ts";
import type { Paths } from "../../toolchain/paths.ts";
import { duration, type Progress } from "../../toolchain/progress.ts";
import { NotInstalledError } from "./missing.ts";

const sources = join(import.meta.dirname, "python");
const requirements = join(sources, "requirements.txt");
/** A virtual environment cannot be moved into place: this file in it says that it is complete. */
const mark = "complete";

export interface Ansible {
  /** Path of `ansible-playbook`. */
  playbook: string;
  /** The interpreter that its modules run with. */
  python: string;
}

export function ansibleVersion(): string {
  return /^ansible==(\S+)$/m.exec(readFileSync(requirements, "utf8"))?.[1] ?? "";
}

const folderOf = (paths: Paths): string => join(paths.store, `ansible-${ansibleVersion()}-${buildKey(sources)}`);

const inFolder = (folder: string): Ansible => ({
  playbook: join(folder, "bin", "ansible-playbook"),
  python: join(folder, "bin", "python"),
});

/** @throws NotInstalledError */
export function findAnsible(paths: Paths): Ansible {
  const folder = folderOf(paths);
  if (!existsSync(join(folder, mark))) throw new NotInstalledError("Ansible");
  return inFolder(folder);
}

/** Ansible with its collections and proxmoxer in a virtual environment of its own: installed if it is not there. */
export async function ensureAnsible(paths: Paths, progress: Progress, signal: AbortSignal): Promise<Ansible> {
  const folder = folderOf(paths);
  if (existsSync(join(folder, mark))) return inFolder(folder);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(paths.store, { recursive: true });
  await step(`making a Python environment for Ansible`, await findPython(), ["-m", "venv", folder], progress, signal);
  const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", "-r", requirements];
  await step(`installing Ansible ${ansibleVersion()}`, join(folder, "bin", "python"), pip, progress, signal);
  writeFileSync(join(folder, mark), "");
  return inFolder(folder);
}

async function step(title: string, file: string, args: string[], progress: Progress, signal: AbortSignal) {
  const started = Date.now();
  const beat = setInterval(() => progress.status(`${title}: ${duration(Date.now() - started)}`), 1_000);
  try {
    const { code, stdout, stderr, failure } = await runCommand(file, args, { signal });
    if (code !== 0) throw new Error(`${title} failed\n${failure?.message ?? `${stdout}${stderr}`.trim()}`);
  } finally {
    clearInterval(beat);
    progress.end();
  }
  progress.line(`${title}: done in ${duration(Date.now() - started)}`);
}
