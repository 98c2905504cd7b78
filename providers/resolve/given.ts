import type { Choices } from "../../config/resolved.ts";

/** A clone of the state, in the terms of its resource. */
export interface GivenClone {
  set?: string | undefined;
  name?: string | undefined;
  vmId: number;
  /** PVE's `ipconfig0`, `ipconfig1`, … */
  ipConfigs?: readonly string[] | undefined;
}

/**
 * What clones have of the ranges of their sets, by set and name: as preflight remembers it, and what those have that a run without
 * preflight has made.
 *
 * @param remembered by preflight
 * @param clones those of the state
 */
export function given(remembered: Choices = {}, clones: readonly GivenClone[]): Choices {
  const all: Choices = structuredClone(remembered);
  for (const { set, name, vmId, ipConfigs = [] } of clones) {
    if (set === undefined || name === undefined || all[set]?.[name]) continue;
    const fields = new Map((ipConfigs[0] ?? "").split(",").map((part) => part.split("=") as [string, string]));
    const [ip, ip6] = [fields.get("ip"), fields.get("ip6")];
    all[set] ??= {};
    all[set][name] = { vmId, ...(ip?.includes("/") && { ip }), ...(ip6?.includes("/") && { ip6 }) };
  }
  return all;
}
