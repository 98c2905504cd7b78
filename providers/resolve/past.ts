import type { TemplateFacts } from "../../config/existing.ts";
import type { Choices, Chosen } from "../../config/resolved.ts";

/** A clone of the state, in the terms of its resource. */
export interface PastClone {
  set?: string | undefined;
  name?: string | undefined;
  vmId: number;
  /** PVE's `ipconfig0`, `ipconfig1`, … */
  ipConfigs?: readonly string[] | undefined;
}

/** What the stack's state says of earlier runs. */
export interface Past {
  fleetId?: string | undefined;
  /** What preflight has given to clones, be they made or not: it is stored before the first clone is begun. */
  remembered: Choices;
  /** The clones that were made. */
  clones: readonly PastClone[];
  /** Templates that were made elsewhere, as they were found last. */
  existing: Readonly<Record<string, TemplateFacts>>;
}

/** What a clone of the state has. */
export function hasNow({ vmId, ipConfigs = [] }: PastClone): Chosen {
  const fields = new Map((ipConfigs[0] ?? "").split(",").map((part) => part.split("=") as [string, string]));
  const [ip, ip6] = [fields.get("ip"), fields.get("ip6")];
  return { vmId, ...(ip?.includes("/") && { ip }), ...(ip6?.includes("/") && { ip6 }) };
}

/** Names as PVE and DNS take them: without regard to case. */
export const nameKey = (name: string): string => name.toLowerCase();

/** The number at the end of a name, or the last one in it. */
const lastNumber = (name: string): number | undefined => {
  const digits = /(\d+)\D*$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

interface Candidate {
  /** What its VM has. */
  now?: PastClone;
  /** What it was given, be it made or not. */
  remembered?: Chosen;
}

/**
 * Finds what the clones of a set were before. Names tell, which no two clones of a fleet have, whichever set they were in. In a counted
 * set their numbers tell: the pattern of its names may have changed.
 */
export function finder(key: string, past: Past): (clone: { name: string; n?: number }) => Candidate {
  const byName = new Map<string, Candidate>();
  const byNumber = new Map<number, Candidate>();
  for (const [set, clones] of Object.entries(past.remembered))
    for (const [name, remembered] of Object.entries(clones)) {
      const candidate = { remembered };
      byName.set(nameKey(name), candidate);
      if (set === key && remembered.n !== undefined) byNumber.set(remembered.n, candidate);
    }
  for (const now of past.clones) {
    if (now.name === undefined) continue;
    const candidate: Candidate = byName.get(nameKey(now.name)) ?? {};
    candidate.now = now;
    byName.set(nameKey(now.name), candidate);
    const n = candidate.remembered?.n ?? lastNumber(now.name);
    if (now.set === key && n !== undefined && !byNumber.has(n)) byNumber.set(n, candidate);
  }
  return ({ name, n }) => (n !== undefined && byNumber.get(n)) || byName.get(nameKey(name)) || {};
}
