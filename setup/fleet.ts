// `npm run fleet -- up`: Pulumi with all that it needs around it.

import type { Resolved } from "../config/resolved.ts";
import { ensureToolchain, type Toolchain } from "../toolchain/install.ts";
import { checkout } from "../toolchain/paths.ts";
import { runPulumi } from "../toolchain/pulumi.ts";
import { type Ask, asker, projectOf, readConfig, readState } from "./fleet/cli.ts";
import { backendEnvironment, cliEnvironment, stackEnvironment, trustEnvironment } from "./fleet/environment.ts";
import { plainLines } from "./fleet/line.ts";
import { type Options, readOptions, runOf, UsageError } from "./fleet/options.ts";
import { partOf } from "./fleet/part.ts";
import { type ChosenStack, findStack, needed } from "./fleet/stack.ts";
import { pastOf } from "./fleet/stored.ts";
import { USAGE } from "./fleet/usage.ts";

/** What a command works with. */
interface Context {
  root: string;
  project: string;
  toolchain: Toolchain;
  ask: Ask;
  /** Added to the user's environment. */
  env: Record<string, string>;
}

/** What is ours to say goes to stderr: stdout is Pulumi's. */
const say = (lines: readonly string[]) => lines.length > 0 && process.stderr.write(`${lines.join("\n")}\n`);

/** Runs the CLI in the terminal; its exit code is ours. */
async function hand(args: string[], { root, toolchain, env }: Context): Promise<number> {
  say(plainLines(args, env, process.env));
  return (await runPulumi(toolchain, args, { cwd: root, env })).code;
}

async function doctor(stack: ChosenStack, { root, project, ask, env }: Context): Promise<number> {
  say([
    "# Plain pulumi runs the same checks with:",
    ...plainLines(["preview", "--stack", stack.name], env, process.env),
  ]);
  const { examine } = await import("./fleet/doctor.ts");
  const config = await readConfig(ask, stack.name);
  const state = await readState(ask, stack.name);
  // Preflight asks what the plugin would trust.
  Object.assign(process.env, env);
  const { report, ok } = await examine({ root, project, stack: stack.name, config, state });
  process.stdout.write(`${report}\n`);
  return ok ? 0 : 1;
}

/** The options of Pulumi that `--tags`, `--skip-tags` and `--limit` stand for. */
async function selected(options: Options, stack: ChosenStack, { root, project, ask }: Context): Promise<string[]> {
  const run = runOf(options.command);
  if (!run || options.tags.length + options.skipTags.length + options.limit.length === 0) return [];
  const { stackConfigOf } = await import("../config/stack.ts");
  const { resolveConfig } = await import("../providers/resolve/resolveConfig.ts");
  const raw = { root, project, stack: stack.name, ...(await readConfig(ask, stack.name)) };
  const state = await readState(ask, stack.name);
  const load = (resolved?: Resolved) => stackConfigOf(raw, resolved);
  const { config } = await resolveConfig(load(), load, () => pastOf(state));
  const urns = state.map(({ urn }) => urn);
  const { args, notes } = partOf(run, options, config, urns);
  say(notes.map((note) => `# ${note}`));
  return args;
}

async function fleet(options: Options): Promise<number> {
  const { root } = checkout;
  const found = await ensureToolchain();
  const { PATH: _, PULUMI_HOME: __, ...quiet } = found.env;
  const toolchain = { ...found, env: quiet };
  const project = projectOf(root);
  const base = { ...cliEnvironment(root, found), ...backendEnvironment(root) };
  const ask = asker(toolchain, root, base);
  const context = { root, project, toolchain, ask, env: base };
  if (options.command === "doctor" || runOf(options.command)) {
    const stack = needed(await findStack(ask, options.stack));
    const trust = trustEnvironment(root, project, stack.name, { isRun: true });
    if (options.command === "doctor") {
      // What is wrong with the certificate is among what preflight tells.
      const known = await trust.catch(() => ({}));
      return doctor(stack, { ...context, env: { ...base, ...known } });
    }
    const own = { ...context, env: { ...base, ...(await trust) } };
    const [command = "", ...args] = options.args;
    const part = await selected(options, stack, own);
    const named = options.stack === undefined ? ["--stack", stack.name] : [];
    return hand([command, ...named, ...part, ...args], own);
  }
  // Many commands can do without a stack, and Pulumi knows which cannot.
  const maybe = await findStack(ask, options.stack).catch(() => "");
  const stack = typeof maybe === "string" ? undefined : maybe;
  const trust = await trustEnvironment(root, project, stack?.name, { isRun: false });
  return hand(options.args, { ...context, env: { ...base, ...trust, ...stackEnvironment(stack) } });
}

const [first] = process.argv.slice(2);
if (first === undefined || first === "help" || first === "--help" || first === "-h") {
  process.stdout.write(USAGE);
} else {
  try {
    process.exitCode = await fleet(readOptions(process.argv.slice(2)));
  } catch (error) {
    // No stack trace: what is thrown here is told to the user.
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
