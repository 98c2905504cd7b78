import { type SpawnOptions, spawn } from "node:child_process";

export interface CommandResult {
  /** undefined if the program could not be started, or was ended by a signal. */
  code: number | undefined;
  signal?: NodeJS.Signals;
  /** Why it could not be started. */
  failure?: NodeJS.ErrnoException;
  stdout: string;
  stderr: string;
}

export interface CommandOptions extends Pick<SpawnOptions, "cwd" | "env"> {
  onStderrLine?: (line: string) => void;
  /** Ends the program as Ctrl-C does. */
  signal?: AbortSignal | undefined;
}

/** Runs a program to its end; never throws. */
export function runCommand(command: string, args: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { onStderrLine, signal, ...spawnOptions } = options;
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...spawnOptions, stdio: ["ignore", "pipe", "pipe"] });
    const interrupt = () => child.kill("SIGINT");
    signal?.addEventListener("abort", interrupt, { once: true });
    let stdout = "";
    let stderr = "";
    let rest = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onStderrLine?.(line);
    });
    const finish = (result: Pick<CommandResult, "code" | "failure" | "signal">) => {
      signal?.removeEventListener("abort", interrupt);
      resolve({ ...result, stdout, stderr });
    };
    child.on("error", (failure) => finish({ code: undefined, failure }));
    child.once("close", (code, endedBy) =>
      finish({ code: code ?? undefined, ...(endedBy === null ? {} : { signal: endedBy }) }),
    );
  });
}
