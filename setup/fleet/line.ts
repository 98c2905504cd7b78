/** A word as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

const SECRET = /^--secret(=|$)|password|token/i;
/** Options of Pulumi and of `config set` whose value is the next argument. */
const VALUED = [
  ...["--stack", "-s", "--config-file", "--cwd", "-C", "--type", "--color"],
  ...["--tracing", "--profiling", "--memprofilerate", "--verbose", "-v"],
];
/** And those without a value. What else begins with "-" may be a secret. */
const SWITCHES = [
  ...["--secret", "--plaintext", "--path", "--non-interactive", "--emoji", "-e", "--fully-qualify-stack-names", "-Q"],
  ...["--disable-integrity-checking", "--logflow", "--logtostderr", "--help", "-h"],
];

const isValue = (args: readonly string[], index: number) => VALUED.includes(args[index - 1] ?? "");
const isOption = (arg: string) => [...VALUED, ...SWITCHES].includes(arg) || VALUED.includes(arg.split("=")[0] ?? "");

/** Where the `set` or `set-all` of `config` stands, with options anywhere; undefined: it is another command. */
function placeOfSet(args: readonly string[]): number | undefined {
  const words = args.flatMap((arg, index) => (arg.startsWith("-") || isValue(args, index) ? [] : [{ arg, index }]));
  const config = words.findIndex(({ arg }) => arg === "config");
  return config < 0 ? undefined : words.slice(config).find(({ arg }) => arg === "set" || arg === "set-all")?.index;
}

/** Arguments as they may be shown: a secret that `config set` is to store is nobody's to read. */
function shown(args: readonly string[]): string[] {
  const set = placeOfSet(args);
  if (set === undefined || !args.some((arg) => SECRET.test(arg))) return args.map(quoted);
  // `set key value`, `set-all --secret key=value`
  let keys = args[set] === "set" ? 1 : 0;
  return args.map((arg, index) => {
    if (index <= set || arg === "--" || isValue(args, index) || isOption(arg)) return quoted(arg);
    return keys-- > 0 ? quoted(arg) : "'…'";
  });
}

/**
 * What to type for the same without this front, ready to be pasted into a shell: the variables that the user's own does not
 * have, and the line of Pulumi.
 *
 * @param added to the environment `env`
 */
export function plainLines(args: readonly string[], added: Record<string, string>, env: NodeJS.ProcessEnv): string[] {
  const exports = Object.entries(added).flatMap(([name, value]) => {
    if (value === env[name]) return [];
    // PATH gets something in front.
    const isLonger = name === "PATH" && env.PATH !== undefined && value.endsWith(env.PATH);
    return [isLonger ? `PATH=${quoted(value.slice(0, -(env.PATH ?? "").length))}"$PATH"` : `${name}=${quoted(value)}`];
  });
  const line = ["pulumi", ...shown(args)].join(" ");
  return exports.length > 0 ? [`export ${exports.join(" ")}`, line] : [line];
}
