import { vmId } from "./formats.ts";

/** VMIDs from the first to the last. */
export interface VmIdRange {
  first: number;
  last: number;
}

/** The range in a text such as `9100-9199`; undefined if it is none. */
export function parseVmIds(text: string): VmIdRange | undefined {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  const range = { first: Number(first), last: Number(last) };
  const isRange = vmId.safeParse(range.first).success && vmId.safeParse(range.last).success;
  return isRange && range.first <= range.last ? range : undefined;
}
