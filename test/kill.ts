import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { ensureToolchain } from "../toolchain/install.ts";
import type { Project } from "./project.ts";

export interface Process {
  pid: number;
  command: string;
}

/** A process with all its descendants: the engine puts its plugins into process groups of their own. */
async function familyOf(pid: number): Promise<Process[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,ppid=,args="]);
  const all = stdout
    .trim()
    .split("\n")
    .map((line) => {
      const [, own, parent, command = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      return { pid: Number(own), parent: Number(parent), command };
    });
  const family = all.filter((one) => one.pid === pid);
  for (const one of family) family.push(...all.filter(({ parent }) => parent === one.pid));
  return family;
}

/** Those of these processes that have not ended. */
export async function alive(some: readonly Process[]): Promise<Process[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,stat="]);
  const lines = stdout.trim().split("\n");
  const ended = (line: string) => line.trim().split(/\s+/)[1]?.startsWith("Z");
  const pids = new Set(lines.filter((line) => !ended(line)).map((line) => Number.parseInt(line, 10)));
  return some.filter(({ pid }) => pids.has(pid));
}

/** The process that runs the dynamic providers. */
const isHost = ({ command }: Process): boolean => /^\S*node\S* .*(hosts\/dynamic\.mjs|dynamic-provider) /.test(command);

/** Waits for something that the lab can be asked. */
export async function until(moment: () => Promise<boolean>): Promise<void> {
  while (!(await moment())) await pause(10);
}

/**
 * `pulumi up`, and at the moment when `moment` resolves, a power failure: every process of it ends at once. PVE goes on.
 * Afterwards the stack's lock is taken away, as a user has to.
 *
 * @param victim `host`: only the host of the dynamic providers ends; the engine says so, and ends the run.
 * `engine`: only the engine is killed, and nobody tells the others
 * @returns the processes of the run, as they were at that moment
 */
export async function upUntil(
  project: Project,
  moment: () => Promise<boolean>,
  victim: "all" | "host" | "engine" = "all",
): Promise<Process[]> {
  const { pulumi, env } = await ensureToolchain();
  const options = { cwd: project.dir, env: { ...process.env, ...env, ...project.env }, stdio: "ignore" } as const;
  const up = spawn(pulumi, ["up", "--yes", "--skip-preview", "--non-interactive", "--stack", "test"], options);
  const ended = once(up, "exit");
  await until(async () => {
    // Both may have come since the last look: then the moment counts.
    const { exitCode } = up;
    if (await moment()) return true;
    if (exitCode !== null) throw new Error(`pulumi up ended (${exitCode}) before the moment came`);
    return false;
  });
  const family = await familyOf(up.pid ?? 0);
  const victims = family.filter((one) => victim === "all" || (victim === "host" ? isHost(one) : one.pid === up.pid));
  if (victims.length === 0) throw new Error(`nobody to kill: no ${victim} among ${JSON.stringify(family)}`);
  for (const { pid } of victims) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  const [code] = await ended;
  if (code === 0) throw new Error("pulumi up ended well although it was to be killed");
  if (victim === "host") return family;
  await once(spawn(pulumi, ["cancel", "--yes", "--stack", "test"], options), "exit");
  return family;
}

/** Takes resources out of the state, as if the run had been killed before they were written there. */
export async function forget(project: Project, names: readonly string[]): Promise<void> {
  const state = JSON.parse(await project.state()) as { deployment: { resources: { urn: string }[] } };
  const { resources } = state.deployment;
  state.deployment.resources = resources.filter(({ urn }) => !names.some((name) => urn.endsWith(`::${name}`)));
  await project.importState(JSON.stringify(state));
}
