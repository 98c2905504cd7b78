import { isMap, type Json, type JsonMap } from "./json.ts";

/** The same value with the keys of every map in order: the place of a key in the stack config means nothing. */
function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, sorted(value[key] ?? null)]));
}

/** `ours` with `theirs` over it: maps are merged deeply; everything else of theirs, lists too, takes the place of ours. */
export function merge(ours: JsonMap, theirs: JsonMap): JsonMap {
  const entries = new Map(Object.entries(ours));
  for (const key of Object.keys(theirs).sort()) {
    const [mine, value] = [entries.get(key), theirs[key] ?? null];
    entries.set(key, isMap(mine) && isMap(value) ? merge(mine, value) : sorted(value));
  }
  return Object.fromEntries(entries);
}
