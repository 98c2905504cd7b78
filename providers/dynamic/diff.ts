import { isDeepStrictEqual } from "node:util";
import type { dynamic } from "@pulumi/pulumi";

/** Keys whose values differ, `undefined` and absent being the same. */
export function changedKeys<T extends object>(
  olds: Partial<T>,
  news: Partial<T>,
  keys: readonly (keyof T & string)[],
): (keyof T & string)[] {
  return keys.filter((key) => !isDeepStrictEqual(olds[key] ?? undefined, news[key] ?? undefined));
}

/** A diff by keys: a change of one of `replacing` makes a new resource, of one of `updating` changes it in place. */
export function diffByKeys<T extends object>(
  olds: Partial<T>,
  news: Partial<T>,
  { replacing, updating }: { replacing: readonly (keyof T & string)[]; updating: readonly (keyof T & string)[] },
): dynamic.DiffResult {
  const replaces = changedKeys<T>(olds, news, replacing);
  const updates = changedKeys<T>(olds, news, updating);
  return { changes: replaces.length + updates.length > 0, replaces, deleteBeforeReplace: true };
}
