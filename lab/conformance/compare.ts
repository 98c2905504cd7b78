import type { Json, JsonObject } from "./recording.ts";

/** What stands for a value that varies, as a pattern inside a text. */
const patterns: Readonly<Record<string, string>> = {
  UPID: "UPID:[^\\s']+",
  MAC: "[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}",
  UUID: "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
  DIGEST: "[0-9a-f]{40}",
  CTIME: "\\d+",
  TIME: "[-0-9: ]+",
  PID: "[0-9A-F]+",
  UPTIME: "\\d+",
  NUM: "[0-9.e-]+",
  FINGERPRINT: "[0-9A-F]{2}(?::[0-9A-F]{2})+",
  TICKET: ".+",
  CSRF: ".+",
  CRYPT: "\\S+",
};
const token = new RegExp(`\\b(${Object.keys(patterns).join("|")})\\b`);
const sortKeys = ["volid", "id", "vmid", "storage", "node", "key", "n"];

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** True if a text or number is what was recorded, with placeholders for what varies. */
export function matches(expected: string, actual: Json): boolean {
  if (expected === actual) return true;
  if (typeof actual === "number" && expected in patterns) return true;
  if (typeof actual !== "string" || !token.test(expected)) return false;
  const source = expected
    .split(new RegExp(token, "g"))
    .map((part, index) => (index % 2 ? patterns[part] : escaped(part)))
    .join("");
  return new RegExp(`^${source}$`).test(actual);
}

function sorted(list: readonly Json[]): Json[] {
  const key = sortKeys.find((name) => list.length > 0 && list.every((item) => isObject(item) && name in item));
  if (key === undefined) return [...list];
  const of = (item: Json): string => String(isObject(item) ? item[key] : "");
  return list.toSorted((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0));
}

/** The recorder sorted the content types of a datastore. */
function normalised(key: string, value: Json): Json {
  return key === "content" && typeof value === "string" ? value.split(",").toSorted().join(",") : value;
}

const show = (value: Json | undefined): string => JSON.stringify(value) ?? "nothing";

/**
 * The differences between what was recorded and what came, each with its place.
 *
 * @param subset true: keys that were not recorded may be there.
 */
export function differences(expected: Json, actual: Json | undefined, subset: boolean, at = ""): string[] {
  if (actual === undefined) return expected === "<absent>" ? [] : [`${at}: missing, recorded ${show(expected)}`];
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return [`${at}: ${show(actual)}, recorded a list`];
    const [want, have] = [sorted(expected), sorted(actual)];
    if (want.length !== have.length)
      return [`${at}: ${have.length} entries, recorded ${want.length}: ${show(have)} / ${show(want)}`];
    return want.flatMap((item, index) => differences(item, have[index], subset, `${at}[${index}]`));
  }
  if (isObject(expected)) {
    if (!isObject(actual)) return [`${at}: ${show(actual)}, recorded ${show(expected)}`];
    const found = Object.entries(expected).flatMap(([key, value]) =>
      differences(
        normalised(key, value),
        key in actual ? normalised(key, actual[key] ?? null) : undefined,
        subset,
        `${at}.${key}`,
      ),
    );
    const extra = subset ? [] : Object.keys(actual).filter((key) => !(key in expected));
    return [...found, ...extra.map((key) => `${at}.${key}: ${show(actual[key])}, not recorded`)];
  }
  const same = typeof expected === "string" ? matches(expected, actual) : expected === actual;
  return same ? [] : [`${at}: ${show(actual)}, recorded ${show(expected)}`];
}

const progress = /^\s*\d+K |^transferred .*\((?!100\.00%)|^$/;

/** A task's log without what depends on speed. */
export function steadyLines(log: readonly string[]): string[] {
  return log.filter((line) => !progress.test(line));
}
