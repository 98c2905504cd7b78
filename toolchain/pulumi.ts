import { spawn } from "node:child_process";
import { constants } from "node:os";
import type { Toolchain } from "./install.ts";

export interface PulumiOptions {
  /** Folder of the project. @default the present one */
  cwd?: string;
  /** Added to the toolchain's environment. */
  env?: Record<string, string>;
  /** Gets stdout as it comes. Without it, and without `onStderr`, the CLI has the terminal itself. */
  onStdout?: (text: string) => void;
  onStderr?: (text: string) => void;
  /** Ends the run as Ctrl-C does. */
  signal?: AbortSignal;
  /** Keeps Ctrl-C of the terminal, and the signals that end this process, from the CLI. */
  apart?: boolean;
  /** What the CLI reads from stdin: secrets, which must be in no argument. Only together with `onStdout` or `onStderr`. */
  input?: string;
}

export interface PulumiResult {
  /** Exit code; 128 + number of the signal if one ended it. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the CLI to its end. A failure is a code, not an exception. */
export function runPulumi(toolchain: Toolchain, args: string[], options: PulumiOptions = {}): Promise<PulumiResult> {
  const captured = options.onStdout !== undefined || options.onStderr !== undefined;
  return new Promise((resolve, reject) => {
    const child = spawn(toolchain.pulumi, args, {
      cwd: options.cwd,
      env: { ...process.env, ...toolchain.env, ...options.env },
      detached: options.apart ?? false,
      stdio: captured ? [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"] : "inherit",
    });
    // A CLI that ends before it has read says why itself.
    child.stdin?.on("error", () => undefined).end(options.input);
    const result: PulumiResult = { code: 0, stdout: "", stderr: "" };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      result.stdout += text;
      options.onStdout?.(text);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      result.stderr += text;
      options.onStderr?.(text);
    });
    const interrupt = () => child.kill("SIGINT");
    options.signal?.addEventListener("abort", interrupt, { once: true });
    const detach = options.apart ? () => undefined : followSignals(child.kill.bind(child));
    child.on("error", reject);
    child.once("close", (code, signal) => {
      detach();
      options.signal?.removeEventListener("abort", interrupt);
      resolve({ ...result, code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]) });
    });
  });
}

/**
 * Ctrl-C in a terminal reaches the CLI by itself, and the CLI tidies up: this process has to live on until it has.
 * Other signals come to this process alone.
 */
function followSignals(kill: (signal: NodeJS.Signals) => void): () => void {
  const wait = () => {};
  const pass = () => kill("SIGINT");
  process.on("SIGINT", wait).on("SIGTERM", pass).on("SIGHUP", pass);
  return () => process.off("SIGINT", wait).off("SIGTERM", pass).off("SIGHUP", pass);
}
