import type { FirstBoot } from "./cloudInit.ts";

/** What of a clone can stand in the texts of its first-boot configuration. */
export interface CloneWords {
  name: string;
  vmId: number;
  /** Its first static IPv4 address, or else IPv6 address, without prefix; missing: it has none. */
  ip?: string;
  /** Its place in its set, from 1. */
  n: number;
}

/** `{name}`, but neither the shell's `${name}` nor Jinja's `{{name}}`; `\{name}` is how it is written to stay. */
const WORD = /(?<![${\\])\{(name|vmId|ip|n)\}(?!\})/g;
const ESCAPED = /\\(?=\{(?:name|vmId|ip|n)\})/g;

/** The keys of a first-boot configuration whose texts are the user's own. */
const TEXTS: readonly (keyof FirstBoot)[] = [
  "runCommands",
  "writeFiles",
  "vendor",
  "userData",
  "raw",
  "meta",
  "network",
];

/** The part of a first-boot configuration in which a clone's words are looked for. */
const textsOf = (own: FirstBoot): FirstBoot =>
  Object.fromEntries(TEXTS.flatMap((key) => (own[key] === undefined ? [] : [[key, own[key]]])));

/** A first-boot configuration with the clone's own words in its texts. */
export const filled = (own: FirstBoot, words: CloneWords): FirstBoot => ({ ...own, ...fill(textsOf(own), words) });

/** The words that a first-boot configuration asks for. */
export const wordsOf = (own: FirstBoot): Set<keyof CloneWords> => wordsIn(textsOf(own));

/** A value with the clone's own words in its texts; keys of maps stay as they are. */
export function fill<T>(value: T, words: CloneWords): T {
  if (typeof value === "string")
    return value.replace(WORD, (all, word: keyof CloneWords) => String(words[word] ?? all)).replace(ESCAPED, "") as T;
  if (Array.isArray(value)) return value.map((one) => fill(one, words)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one, words)])) as T;
}

/** The words that stand in the texts of a value. */
export function wordsIn(value: unknown): Set<keyof CloneWords> {
  if (typeof value === "string") return new Set([...value.matchAll(WORD)].map(([, word]) => word as keyof CloneWords));
  const inner: unknown[] = typeof value === "object" && value !== null ? Object.values(value as object) : [];
  return new Set(inner.flatMap((one) => [...wordsIn(one)]));
}
