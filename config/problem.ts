import type { z } from "zod";
import { withoutCredentials } from "./credentials.ts";
import { didYouMean, list, pathText } from "./text.ts";

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

/** Whether the value at a place is a secret, so that no message shows it. */
export type Hidden = (place: string) => boolean;

/** Keys whose value is never shown. */
const SECRET_KEY = /(^|\.)(password|apiToken)($|[.[])/;

/** Keys of every common format that somebody may have put where a name or a file belongs. */
export const PRIVATE_KEY = /PRIVATE KEY|PuTTY-User-Key-File/;

const counted = (count: number | bigint, word: string) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** The value that was found, short, and never a secret: a map or a list is only named, as there may be one in it. */
export function found(value: unknown, place = "", hidden: Hidden = () => false): string {
  if (SECRET_KEY.test(place) || hidden(place)) return "the value (secret)";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "a map";
  const text = JSON.stringify(value) ?? String(value);
  if (PRIVATE_KEY.test(text)) return "a private key";
  const shown = withoutCredentials(text);
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
      // A schema that knows more of a value says so.
      if (!issue.message.startsWith("Invalid ")) return issue.message;
      return `expected ${list(
        issue.values.map((value) => JSON.stringify(value)),
        "or",
      )}`;
    default:
      return issue.message;
  }
}

interface Section {
  /** Where it stands in the config. */
  at: readonly PropertyKey[];
  /** The keys that the schema knows at a path, for "did you mean". */
  keysAt: (path: readonly PropertyKey[]) => readonly string[];
  hidden?: Hidden;
}

/** The problems of one parsed section. */
export function problemsOf(error: z.ZodError, raw: unknown, { at, keysAt, hidden }: Section): Problem[] {
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
        message: `${found(path.at(-1))} cannot be a key here; ${expectation(inner)}`,
      }));
    }
    const value = valueAt(raw, issue.path);
    const place = pathText(path);
    const what = value === undefined ? "missing" : `found ${found(value, place, hidden)}`;
    return [{ path: place, message: `${what}; ${expectation(issue)}` }];
  });
}
