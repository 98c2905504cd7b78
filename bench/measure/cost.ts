import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findPython } from "../../lab/venv.ts";
import { watchMemory } from "./memory.ts";

export interface Command {
  file: string;
  args: string[];
  cwd: string;
  /** Added to this process's environment. */
  env: Record<string, string>;
}

export interface Cost {
  code: number;
  /** From the start of the command until it ended, in seconds. */
  wallSeconds: number;
  /** CPU time, user and system, of the command and all processes below it, in seconds. */
  cpuSeconds: number;
  /** Highest sum of memory of all these processes that was seen, in bytes. */
  peakMemoryBytes: number;
  /** What it printed. */
  output: string;
}

const script = join(import.meta.dirname, "account.py");

/** Runs a command to its end and says what it cost. A failure of the command is a code, not an exception. */
export async function costOf({ file, args, cwd, env }: Command, signal?: AbortSignal): Promise<Cost> {
  const folder = await mkdtemp(join(tmpdir(), "golden-fleet-cost-"));
  const result = join(folder, "result.json");
  try {
    const child = spawn(await findPython(), ["-IS", script, result, file, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const interrupt = () => child.kill("SIGINT");
    signal?.addEventListener("abort", interrupt, { once: true });
    const peak = watchMemory(child.pid ?? 0);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
    const peakMemoryBytes = peak();
    signal?.removeEventListener("abort", interrupt);
    const measured = await readFile(result, "utf8").catch(() => undefined);
    if (measured === undefined) throw new Error(`${file} could not be measured:\n${output}`);
    const { code, wallSeconds, cpuSeconds } = JSON.parse(measured) as Cost;
    return { code, wallSeconds, cpuSeconds, peakMemoryBytes, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
