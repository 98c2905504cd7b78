/** What stands behind `npm run fleet --`. */
export interface Options {
  /** Pulumi's name of the command, or `doctor`; undefined: none. */
  command: string | undefined;
  /** What Pulumi gets, its command first, without the options of ours. */
  args: string[];
  /** Words of `--tags`, `--skip-tags` and `--limit`. */
  tags: string[];
  skipTags: string[];
  limit: string[];
  /** Value of `--stack`. */
  stack: string | undefined;
}

const OWN = { "--tags": "tags", "--skip-tags": "skipTags", "--limit": "limit" } as const;

/** Commands that run a part of the fleet, by all their names. */
const RUNS: Readonly<Record<string, Run>> = {
  preview: "preview",
  pre: "preview",
  up: "up",
  update: "up",
  refresh: "refresh",
  destroy: "destroy",
  down: "destroy",
  dn: "destroy",
};

export type Run = "preview" | "up" | "refresh" | "destroy";

/** The run that a command is; undefined: it is another command. */
export const runOf = (command: string | undefined): Run | undefined => RUNS[command ?? ""];

/** An option is used wrongly; nothing has been done. */
export class UsageError extends Error {
  override name = "UsageError";
}

const words = (text: string): string[] => text.split(",").flatMap((word) => word.trim() || []);

/** @throws UsageError */
export function readOptions(argv: readonly string[]): Options {
  const options: Options = { command: undefined, args: [], tags: [], skipTags: [], limit: [], stack: undefined };
  const [command] = argv;
  const takesOurs = command === "doctor" || runOf(command) !== undefined;
  const end = argv.indexOf("--");
  const own = end < 0 ? [...argv] : argv.slice(0, end);
  for (let arg = own.shift(); arg !== undefined; arg = own.shift()) {
    const [, name = arg, inline] = /^(--[^=]+)=(.*)$/s.exec(arg) ?? [];
    const value = () => {
      const given = inline ?? own.shift();
      if (!given || (inline === undefined && given.startsWith("-")))
        throw new UsageError(`${name}: expected a value, for example ${EXAMPLES[name] ?? `${name} home`}`);
      return given;
    };
    if (takesOurs && name in OWN) {
      const listed = words(value());
      options[OWN[name as keyof typeof OWN]].push(...listed);
    } else if (name === "--stack" || name === "-s") {
      options.stack = value();
      options.args.push("--stack", options.stack);
    } else options.args.push(arg);
  }
  if (end >= 0) options.args.push(...argv.slice(end));
  options.command = command?.startsWith("-") ? undefined : command;
  return options;
}

const EXAMPLES: Record<string, string> = {
  "--tags": "--tags image,vm",
  "--skip-tags": "--skip-tags clones",
  "--limit": "--limit web",
};
