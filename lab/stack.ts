import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Toolchain } from "../toolchain/install.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import type { Lab } from "./lab.ts";
import { alive } from "./venv.ts";

/** The stack that runs against the lab; its config is `Pulumi.dev.yaml`. */
export const stackName = "dev";

/**
 * The environment in which the lab's stack runs. Everything stays in the lab's folder: the state, and a home folder of
 * its own, because the plugin writes host keys to `~/.ssh/known_hosts`.
 */
export function stackEnvironment(lab: Pick<Lab, "dir" | "caFile" | "apiToken" | "ssh">): Record<string, string> {
  const home = join(lab.dir, "home");
  const state = join(lab.dir, "pulumi");
  mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
  mkdirSync(state, { recursive: true });
  // As in the home of somebody who has used ssh to the nodes before.
  const [type, key] = readFileSync(lab.ssh.hostKeyFile, "utf8").split(" ");
  const known = Object.values(lab.ssh.nodes).map(({ address, port }) => `[${address}]:${port} ${type} ${key}\n`);
  writeFileSync(join(home, ".ssh", "known_hosts"), known.join(""), { mode: 0o600 });
  return {
    HOME: home,
    // By default each file of the state has another one beside it with its metadata; an engine that is killed can leave
    // that one empty, and then "failed to load checkpoint: EOF" is all that there is.
    PULUMI_BACKEND_URL: `${pathToFileURL(state).href}?metadata=skip`,
    // The lab is public, and so is what its state holds.
    PULUMI_CONFIG_PASSPHRASE: "lab",
    PROXMOX_VE_API_TOKEN: lab.apiToken,
    SSL_CERT_FILE: lab.caFile,
  };
}

/** Processes that hold a lock on the lab's stacks. */
function lockOwners(lab: Pick<Lab, "dir">): number[] {
  const folder = join(lab.dir, "pulumi", ".pulumi", "locks");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".json"))
    .map((name) => (JSON.parse(readFileSync(join(folder, name), "utf8")) as { pid: number }).pid);
}

/** Makes the stack if there is none, and takes away the lock of a run that was killed. */
export async function prepareStack(toolchain: Toolchain, lab: Lab, env: Record<string, string>): Promise<void> {
  const quiet = { env, onStdout: () => undefined, onStderr: () => undefined };
  const selected = await runPulumi(toolchain, ["stack", "select", "--create", stackName, "--non-interactive"], quiet);
  if (selected.code !== 0)
    throw new Error(`the stack "${stackName}" cannot be made:\n${selected.stdout}${selected.stderr}`);
  const owners = lockOwners(lab);
  if (owners.length > 0 && !owners.some(alive))
    await runPulumi(toolchain, ["cancel", "--yes", "--stack", stackName], quiet);
}
