/** Names and ranges of names that are written out before the rest is counted. */
const WRITTEN = 6;

interface Numbered {
  prefix: string;
  digits: string;
  suffix: string;
}

/** A name with its last number; undefined: it has none that counts. */
function numbered(name: string): Numbered | undefined {
  const [, prefix = "", digits = "", suffix = ""] = /^(.*?)(\d{1,9})(\D*)$/.exec(name) ?? [];
  return digits === "" ? undefined : { prefix, digits, suffix };
}

/** Whether a name is the next after another: `web-9` and `web-10`, `web-09` and `web-10`. */
function follows(before: string, name: string): boolean {
  const [one, next] = [numbered(before), numbered(name)];
  if (!one || !next || one.prefix !== next.prefix || one.suffix !== next.suffix) return false;
  return String(Number(one.digits) + 1).padStart(one.digits.length, "0") === next.digits;
}

/**
 * Names in their order, in a line: `web-1 … web-50, db-1, db-2`. Of many that do not count up, the first, and how many more.
 *
 * @param most names and ranges that are written out
 */
export function shortNames(names: readonly string[], most = WRITTEN): string {
  const runs: string[][] = [];
  for (const name of names) {
    const run = runs.at(-1);
    if (run && follows(run.at(-1) ?? "", name)) run.push(name);
    else runs.push([name]);
  }
  // A pair is no range.
  const parts = runs.flatMap((run) => (run.length > 2 ? [run] : run.map((name) => [name])));
  const written = parts.slice(0, parts.length === most + 1 ? most + 1 : most);
  const rest = names.length - written.flat().length;
  const text = written.map((run) => (run.length > 1 ? `${run[0]} … ${run.at(-1)}` : run[0])).join(", ");
  return rest > 0 ? `${text} and ${rest} more` : text;
}
