import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

/** The real cloud-init, as a Python module. */
export interface CloudInitTool {
  version: string;
  python: string;
  /** What the interpreter needs in its environment to find the module. */
  env: Record<string, string>;
}

/** What `npm test` unpacks; the machine's own packages stay as they are. */
const HOME = resolve(import.meta.dirname, "../.toolchain/cloud-init");
const MODULES = join(HOME, "root/usr/lib/python3/dist-packages");
const LISTS = join(HOME, "apt");
const PYTHON = "/usr/bin/python3";

const run = promisify(execFile);

function versionOf(python: string, env: Record<string, string>): CloudInitTool | undefined {
  try {
    // The schema module brings in all that the tests need.
    const code = "import cloudinit.config.schema, cloudinit.version as v; print(v.version_string())";
    const output = execFileSync(python, ["-c", code], { env: { ...process.env, ...env }, stdio: "pipe" });
    return { version: output.toString().trim(), python, env };
  } catch {
    return undefined;
  }
}

/** The interpreter of the `cloud-init` that is installed on this machine. */
function installedPython(): string | undefined {
  const folders = (process.env.PATH ?? "").split(":");
  const command = folders.map((folder) => join(folder, "cloud-init")).find((file) => existsSync(file));
  const [, interpreter] = /^#!\s*(\S+)/.exec(command ? readFileSync(command, "latin1") : "") ?? [];
  return interpreter;
}

/** cloud-init as installed on this machine, or as unpacked by an earlier `ensureCloudInit`. */
export function findCloudInit(): CloudInitTool | undefined {
  const python = installedPython();
  return (python && versionOf(python, {})) || versionOf(PYTHON, { PYTHONPATH: MODULES });
}

/** For a test file: the tool and the name of its tests, which are skipped aloud where there is no cloud-init. */
export function cloudInitOrSkip(): { tool: CloudInitTool | undefined; name: string } {
  const tool = findCloudInit();
  if (!tool)
    console.warn("SKIPPED: tests that need cloud-init, which is not here; `npm test` gets it on Debian and Ubuntu");
  return { tool, name: tool ? `cloud-init ${tool.version}` : "cloud-init, which is not here" };
}

const NOT_HERE = "cloud-init is not on this machine and only Debian and Ubuntu packages can be unpacked";

/**
 * Finds cloud-init, or gets the Debian package and unpacks it, with the Python modules that it needs, in the checkout.
 *
 * It is not installed: that would enable services which set up the machine anew at its next start, and needs root.
 *
 * @returns the tool, or why it cannot be had
 */
export async function ensureCloudInit(log: (line: string) => void): Promise<CloudInitTool | { missing: string }> {
  const found = findCloudInit();
  if (found) return found;
  if (!existsSync("/usr/bin/apt-get") || !existsSync(PYTHON)) return { missing: NOT_HERE };
  const debs = join(HOME, "debs");
  try {
    rmSync(HOME, { recursive: true, force: true });
    mkdirSync(debs, { recursive: true });
    const { packages, options } = await neededPackages(log);
    log(`cloud-init: downloading ${packages.length} Debian packages`);
    await run("apt-get", [...options, "download", ...packages], { cwd: debs });
    log(`cloud-init: unpacking into ${HOME}`);
    for (const deb of readdirSync(debs)) await run("dpkg", ["-x", join(debs, deb), join(HOME, "root")]);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return { missing: `cloud-init could not be unpacked: ${(stderr || message).trim()}` };
  } finally {
    for (const folder of [debs, LISTS]) rmSync(folder, { recursive: true, force: true });
  }
  const unpacked = findCloudInit();
  if (unpacked) log(`cloud-init: ${unpacked.version} is ready`);
  return unpacked ?? { missing: `cloud-init was unpacked into ${HOME}, but ${PYTHON} cannot import it` };
}

/** cloud-init and the Python modules that it needs and the machine does not have, and the options to get them with. */
async function neededPackages(log: (line: string) => void): Promise<{ packages: string[]; options: string[] }> {
  const ask = async (options: string[]) => {
    const args = [...options, "install", "--print-uris", "-qq", "--no-install-recommends", "cloud-init"];
    const { stdout } = await run("apt-get", args);
    return {
      packages: [...stdout.matchAll(/ ((?:cloud-init|python3)[^_\s]*)_/g)].map(([, name = ""]) => name),
      options,
    };
  };
  try {
    return await ask([]);
  } catch {
    log("cloud-init: apt-get update (into the checkout)");
    mkdirSync(join(LISTS, "lists/partial"), { recursive: true });
    mkdirSync(join(LISTS, "cache/archives/partial"), { recursive: true });
    const own = [
      "-o",
      `Dir::State::lists=${LISTS}/lists`,
      "-o",
      `Dir::Cache=${LISTS}/cache`,
      "-o",
      "Debug::NoLocking=1",
    ];
    await run("apt-get", [...own, "update"]);
    return ask(own);
  }
}
