import type { z } from "zod";
import { didYouMean, list } from "./text.ts";

/** One thing that is wrong in the stack config: where, what was found, what would be right. */
export interface Problem {
  /** Place in the config, for example `templates.noble.image.checksum`. */
  path: string;
  message: string;
}

/** The stack config cannot be used; every problem is in the message. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], hint: string) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super(
      `${count} in the stack config:\n${problems.map(({ path, message }) => `  - ${path}: ${message}`).join("\n")}\n${hint}`,
    );
    this.problems = problems;
  }
}

/** `["templates", "noble", "nics", 0]` as `templates.noble.nics[0]` */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${String(part)}`))
    .join("");
}

/** Keys whose value is never shown. */
const SECRETS = new Set<PropertyKey>(["password", "apiToken"]);

/** Keys of every common format that somebody may have put where a name or a file belongs. */
export const PRIVATE_KEY = /PRIVATE KEY|PuTTY-User-Key-File/;

const counted = (count: number | bigint, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The value that was found, short, and never a secret: a map or a list is only named, as there may be one in it. */
export function found(value: unknown, path: readonly PropertyKey[] = []): string {
  if (path.some((part) => SECRETS.has(part))) return "the value (secret)";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "a map";
  const text = JSON.stringify(value) ?? String(value);
  if (PRIVATE_KEY.test(text)) return "a private key";
  const shown = text.replace(/\/\/[^/@\s]*@/g, "//…@");
  return shown.length > 80 ? `${shown.slice(0, 77)}…` : shown;
}

/** Of problems at the same place only the first, which says how many more there are. */
export function oncePerPlace(problems: readonly Problem[]): Problem[] {
  const places = Map.groupBy(problems, ({ path }) => path);
  return [...places.values()].flatMap(([first, ...rest]) => {
    const more = rest.filter(({ message }) => message !== first?.message).length;
    return first ? [more > 0 ? { ...first, message: `${first.message} (and ${more} more)` } : first] : [];
  });
}

const valueAt = (root: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], root);

const NAMES: Record<string, string> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a list",
  object: "a map of keys",
  record: "a map of keys",
  undefined: "nothing",
};

/** What would have been right, in words. */
function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `expected ${NAMES[issue.expected] ?? issue.expected}`;
    case "too_small":
      if (issue.origin === "string") return "expected a text that is not empty";
      return `expected at least ${issue.origin === "array" ? counted(issue.minimum, "item") : issue.minimum}`;
    case "too_big":
      if (issue.origin === "string") return `expected at most ${counted(issue.maximum, "character")}`;
      return `expected at most ${issue.origin === "array" ? counted(issue.maximum, "item") : issue.maximum}`;
    case "invalid_value":
      return `expected ${list(
        issue.values.map((value) => JSON.stringify(value)),
        "or",
      )}`;
    default:
      return issue.message;
  }
}

/**
 * The problems of one parsed section.
 *
 * @param at where the section stands in the config
 * @param keysAt the keys that the schema knows at a path, for "did you mean"
 */
export function problemsOf(
  error: z.ZodError,
  raw: unknown,
  at: readonly PropertyKey[],
  keysAt: (path: readonly PropertyKey[]) => readonly string[],
): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = [...at, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(issue.path);
      return issue.keys.map((key) => {
        const meant = didYouMean(key, known);
        const hint = meant ? `did you mean "${meant}"?` : `expected one of ${known.join(", ")}`;
        return { path: pathText([...path, key]), message: `unknown key; ${hint}` };
      });
    }
    if (issue.code === "invalid_key") {
      return issue.issues.map((inner) => ({
        path: pathText(path),
        message: `${found(path.at(-1), [])} cannot be a key here; ${expectation(inner)}`,
      }));
    }
    const value = valueAt(raw, issue.path);
    const message =
      value === undefined ? `missing; ${expectation(issue)}` : `found ${found(value, path)}; ${expectation(issue)}`;
    return [{ path: pathText(path), message }];
  });
}
