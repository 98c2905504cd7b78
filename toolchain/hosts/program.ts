import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

/** What the engine says about one run of the program. */
export interface ProgramRun {
  organization: string;
  project: string;
  stack: string;
  rootDirectory: string;
  programDirectory: string;
  entryPoint: string;
  /** The folder to run in. */
  pwd: string;
  args: string[];
  config: Record<string, string>;
  configSecretKeys: string[];
  dryRun: boolean;
  parallel: number;
  monitorAddress: string;
  engineAddress: string;
  options: ProgramOptions;
}

/** `runtime.options` of Pulumi.yaml, as far as they make sense here. */
export interface ProgramOptions {
  typescript?: boolean;
  nodeargs?: string;
}

/** How the SDK says "I failed, and the user has been told why". */
const bailExitCode = 32;

/** A program that was asked to stop gets this long before it is killed. */
const graceMs = 5_000;

export type Outcome = { ok: true } | { ok: false; bail: true } | { ok: false; bail: false; error: string };

/** One run of the user's program, by the runner that its own SDK brings along. */
export class Program {
  readonly #child: ChildProcess;
  readonly outcome: Promise<Outcome>;

  constructor(run: ProgramRun) {
    const runner = createRequire(join(run.programDirectory, "package.json")).resolve("@pulumi/pulumi/cmd/run");
    this.#child = spawn(process.execPath, [...nodeArguments(run.options), runner, ...runnerArguments(run)], {
      cwd: run.pwd,
      // The engine reads this process's output and shows it as the program's.
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...environment(run) },
    });
    this.outcome = new Promise((resolve) => {
      this.#child.once("error", (error) => resolve({ ok: false, bail: false, error: error.message }));
      this.#child.once("close", (code, signal) => resolve(outcomeOf(code, signal)));
    });
  }

  /** Ask it to stop, and kill it if it doesn't. */
  stop(): void {
    this.#child.kill("SIGTERM");
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    this.#child.once("close", () => clearTimeout(killer));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

function outcomeOf(code: number | null, signal: NodeJS.Signals | null): Outcome {
  if (code === 0) return { ok: true };
  if (code === bailExitCode) return { ok: false, bail: true };
  const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
  return { ok: false, bail: false, error: `the program ${how}` };
}

function nodeArguments(options: ProgramOptions): string[] {
  return options.nodeargs?.split(/\s+/).filter((word) => word !== "") ?? [];
}

function runnerArguments(run: ProgramRun): string[] {
  return [
    `--monitor=${run.monitorAddress}`,
    `--engine=${run.engineAddress}`,
    `--organization=${run.organization}`,
    `--project=${run.project}`,
    `--root-directory=${run.rootDirectory}`,
    `--stack=${run.stack}`,
    `--pwd=${run.pwd}`,
    ...(run.dryRun ? ["--dry-run"] : []),
    `--parallel=${run.parallel}`,
    run.entryPoint || ".",
    ...run.args,
  ];
}

function environment(run: ProgramRun): Record<string, string> {
  return {
    PULUMI_ORGANIZATION: run.organization,
    PULUMI_PROJECT: run.project,
    PULUMI_STACK: run.stack,
    PULUMI_CONFIG: JSON.stringify(run.config),
    PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(run.configSecretKeys),
    // Pulumi's own rule: a program is TypeScript for its compiler unless it says `typescript: false`.
    PULUMI_NODEJS_TYPESCRIPT: String(run.options.typescript ?? true),
  };
}
