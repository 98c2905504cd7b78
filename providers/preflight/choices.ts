import type { Choices } from "../../config/resolved.ts";

/** Clones that are named before the rest is counted. */
const NAMED = 10;

/** What clones are given from the ranges of their sets that they did not have before, a line for each set. */
export function choices(before: Choices = {}, now: Choices = {}): string[] {
  const had = new Map(Object.values(before).flatMap((set) => Object.entries(set)));
  return Object.entries(now).flatMap(([key, clones]) => {
    const given = Object.entries(clones).flatMap(([name, chosen]) => {
      const old = had.get(name);
      const parts = [
        ...(chosen.vmId === undefined || chosen.vmId === old?.vmId ? [] : [`VMID ${chosen.vmId}`]),
        ...(["ip", "ip6"] as const).flatMap((field) => (chosen[field] === old?.[field] ? [] : (chosen[field] ?? []))),
      ];
      return parts.length > 0 ? [`${name} ${parts.join(" ")}`] : [];
    });
    const more = given.length > NAMED ? ` and ${given.length - NAMED} more` : "";
    return given.length > 0 ? [`cloneSets.${key} chooses: ${given.slice(0, NAMED).join(", ")}${more}`] : [];
  });
}
