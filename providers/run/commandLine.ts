import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parse as parsePath } from "node:path";
import { EVERYTHING, type Selection } from "../../fleet/selection.ts";

/**
 * What the run is about. The engine tells neither its program nor its providers: both read it from the command line of the
 * CLI whose descendants they are, and from the environment, where the CLI takes its options too.
 */
export interface Invocation {
  command: "up" | "preview" | "refresh" | "destroy";
  selection: Selection;
  /** Whether it follows a plan (`--plan`), or makes one that another run may follow. */
  hasPlan: boolean;
  /** Whether it reads what is there first (`--refresh`). */
  refreshes: boolean;
}

const COMMANDS: Record<string, Invocation["command"]> = {
  up: "up",
  update: "up",
  preview: "preview",
  pre: "preview",
  refresh: "refresh",
  destroy: "destroy",
  down: "destroy",
  dn: "destroy",
};

/** Options of these commands that take the next argument as their value; all others stand alone, or have `=`. */
export const TAKES_VALUE: ReadonlySet<string> = new Set(
  `client color config config-file cwd event-log exclude exec-agent exec-kind import-file
  import-pending-creates memprofilerate message otel-traces output override-env parallel plan policy-pack policy-pack-config profiling
  remote-agent-pool-id remote-env remote-env-secret remote-executor-image remote-executor-image-password
  remote-executor-image-username remote-git-auth-access-token remote-git-auth-password remote-git-auth-ssh-private-key
  remote-git-auth-ssh-private-key-path remote-git-auth-username remote-git-branch remote-git-commit remote-git-repo-dir
  remote-pre-run-command replace save-plan secrets-provider stack target target-replace tracing tracing-header verbose`.split(
    /\s+/,
  ),
);

/** The long names of options that are given by a letter, as far as they take a value. */
const LETTERS: Record<string, string> = {
  C: "cwd",
  c: "config",
  m: "message",
  p: "parallel",
  s: "stack",
  t: "target",
  v: "verbose",
  x: "exclude",
};

/** Those that stand alone, as far as this program asks for them. */
const FLAGS: Record<string, string> = { f: "skip-preview", y: "yes" };

interface Options {
  positional: string[];
  /** Values of each option, in their order. */
  values: Map<string, string[]>;
}

/** The arguments of the CLI as it reads them itself. */
function optionsOf(args: readonly string[]): Options {
  const positional: string[] = [];
  const values = new Map<string, string[]>();
  const add = (name: string, value: string) => values.set(name, [...(values.get(name) ?? []), value]);
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === "--") break;
    const [, name, value] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name !== undefined) {
      add(name, value ?? (TAKES_VALUE.has(name) ? (rest.shift() ?? "") : "true"));
    } else if (/^-[^-]/.test(arg)) {
      for (const [index, letter] of [...arg].entries()) {
        const flag = FLAGS[letter];
        if (index > 0 && flag !== undefined) add(flag, "true");
        const long = LETTERS[letter];
        if (index > 0 && letter === "r") add("refresh", "true");
        if (index === 0 || long === undefined) continue;
        const after = arg.slice(index + 1);
        add(long, after === "" ? (rest.shift() ?? "") : after.replace(/^=/, ""));
        break;
      }
    } else positional.push(arg);
  }
  return { positional, values };
}

/** `a,"b,c"` as `a` and `b,c`: how the CLI reads a list in an environment variable. */
const listOf = (text: string): string[] =>
  [...text.matchAll(/"((?:[^"]|"")*)"|([^,]+)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );

/**
 * What a command line is about; undefined: it is no run that this program knows.
 *
 * @param args without the CLI itself
 * @param env where the CLI takes an option that is not among its arguments
 */
export function invocationOf(args: readonly string[], env: NodeJS.ProcessEnv): Invocation | undefined {
  const { positional, values } = optionsOf(args);
  const command = COMMANDS[positional[0] ?? ""];
  if (command === undefined) return undefined;
  const variable = (name: string) => env[`PULUMI_OPTION_${name.toUpperCase().replaceAll("-", "_")}`];
  // What is neither a URN nor a glob matches nothing, and the engine refuses it.
  const urns = (name: string) =>
    (values.get(name) ?? listOf(variable(name) ?? "")).filter((one) => /\*|^urn:/.test(one));
  const isSet = (name: string) =>
    ["1", "t", "true"].includes((values.get(name)?.at(-1) ?? variable(name) ?? "").toLowerCase());
  // With experimental features, the question of `up` offers the plan of its preview.
  const asks = command === "up" && !isSet("yes") && !isSet("skip-preview");
  return {
    command,
    hasPlan:
      ["plan", "save-plan"].some((name) => values.has(name) || variable(name)) ||
      isSet("strict") ||
      (asks && ["1", "t", "true"].includes(env.PULUMI_EXPERIMENTAL?.toLowerCase() ?? "")),
    refreshes: isSet("refresh"),
    selection: {
      targets: [...urns("target"), ...urns("target-replace")],
      excludes: urns("exclude"),
      targetDependents: isSet("target-dependents"),
      excludeDependents: isSet("exclude-dependents"),
    },
  };
}

interface ProcessEntry {
  parent: number;
  args: string[];
}

/** A process by its id; undefined where the system does not show it. */
export function processEntry(pid: number): ProcessEntry | undefined {
  try {
    if (process.platform === "linux") {
      // The name in parentheses may hold blanks and parentheses itself.
      const parent = /^.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
      return {
        parent: Number(parent ?? 0),
        args: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1),
      };
    }
    if (process.platform === "win32") return undefined;
    const text = execFileSync("ps", ["-ww", "-o", "ppid=,args=", "-p", String(pid)], { encoding: "utf8" });
    const [, parent, args = ""] = /^\s*(\d+)\s+(.*)/s.exec(text) ?? [];
    return { parent: Number(parent ?? 0), args: args.trim().split(/\s+/) };
  } catch {
    return undefined;
  }
}

/** Between the CLI and a process of this program stand its language host, or the launcher of the host of dynamic providers. */
const MOST_ANCESTORS = 8;

/**
 * How the CLI above a process was started; undefined: there is none, or the system does not show it. Then nobody knows what the
 * run is about, and it counts as one of everything.
 */
export function findInvocation(
  pid = process.ppid,
  env: NodeJS.ProcessEnv = process.env,
  look: typeof processEntry = processEntry,
): Invocation | undefined {
  for (let steps = 0; steps < MOST_ANCESTORS && pid > 1; steps++) {
    const entry = look(pid);
    if (!entry) return undefined;
    const [file = "", ...args] = entry.args;
    if (parsePath(file).name === "pulumi") return invocationOf(args, env);
    pid = entry.parent;
  }
  return undefined;
}

let found: { invocation: Invocation | undefined } | undefined;

/** How this run was started; see `findInvocation`. */
export function invocation(): Invocation | undefined {
  found ??= { invocation: findInvocation() };
  return found.invocation;
}

/** Whether it is known what this run is about. */
export const isKnown = (): boolean => invocation() !== undefined;

/** Whether this run follows or makes a plan, as far as that is known. */
export const hasPlan = (): boolean => invocation()?.hasPlan ?? false;

/** Whether this run refreshes first, as far as that is known. */
export const refreshes = (): boolean => invocation()?.refreshes ?? false;

/** What this run is about; everything where nobody knows. */
export const selection = (): Selection => invocation()?.selection ?? EVERYTHING;
