import { closestMatch } from "leven";

/** `a, b and c` */
export function list(words: readonly string[], last = "and"): string {
  if (words.length <= 1) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${last} ${words.at(-1)}`;
}

/** The known word that was most likely meant, or undefined if none is close. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  return closestMatch(word, known, { maxDistance: Math.ceil(word.length / 3) });
}

/** `["templates", "noble", "nics", 0]` as `templates.noble.nics[0]` */
export function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index > 0 ? "." : ""}${String(part)}`))
    .join("");
}
