/** A word as a shell takes it. */
export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

const SECRET = /^--secret(=|$)|password|token/i;
/** Options of `pulumi config` whose value is the next argument. */
const VALUED = ["--stack", "--config-file", "--cwd", "-C", "--type"];

/** Arguments as they may be shown: a secret that `config set` is to store is nobody's to read. */
function shown(args: readonly string[]): string[] {
  const isStored = args[0] === "config" && /^set/.test(args[1] ?? "") && args.some((arg) => SECRET.test(arg));
  if (!isStored) return args.map(quoted);
  // `set key value`, `set-all --secret key=value`
  let keys = args[1] === "set" ? 1 : 0;
  return args.map((arg, index) => {
    if (index < 2 || VALUED.includes(args[index - 1] ?? "") || /^-[^=]*$/.test(arg)) return quoted(arg);
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
