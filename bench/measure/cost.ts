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

/**
 * Runs a command to its end and says what it cost. A failure of the command is a code, not an exception.
 *
 * @throws AbortError if it was stopped by the signal, after its end
 */
export async function costOf({ file, args, cwd, env }: Command, signal?: AbortSignal): Promise<Cost> {
  const python = await findPython();
  const folder = await mkdtemp(join(tmpdir(), "golden-fleet-cost-"));
  try {
    signal?.throwIfAborted();
    const result = join(folder, "result.json");
    const child = spawn(python, ["-IS", script, result, file, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const interrupt = () => child.kill("SIGINT");
    signal?.addEventListener("abort", interrupt, { once: true });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    const ended = new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
    const peak = watchMemory(child.pid ?? 0);
    let peakMemoryBytes: number;
    try {
      await ended;
    } finally {
      peakMemoryBytes = peak();
      signal?.removeEventListener("abort", interrupt);
    }
    signal?.throwIfAborted();
    const measured = await readFile(result, "utf8").catch(() => undefined);
    if (measured === undefined) throw new Error(`${file} could not be measured:\n${output}`);
    const { code, wallSeconds, cpuSeconds } = JSON.parse(measured) as Cost;
    return { code, wallSeconds, cpuSeconds, peakMemoryBytes, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
