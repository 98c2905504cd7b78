import type { Facts } from "./facts.ts";

export const GROUPS = ["environment", "permissions", "resources", "configuration"] as const;
export type Group = (typeof GROUPS)[number];

/** `fail` stops the run, `warn` does not; `note` says what the run will do; `skip` says what could not be looked at. */
export type Status = "pass" | "fail" | "warn" | "note" | "skip";

/** What a check found. */
export interface Finding {
  status: Status;
  /** Place in the stack config. */
  path?: string;
  /** What was found, and what would be right. */
  message: string;
  /** What to do, one command or sentence a line. */
  todo?: readonly string[];
  /** The error behind it: other checks that meet the same error refer to this one. */
  cause?: unknown;
}

/** One question about the cluster. */
export interface Check {
  /** Stable name, listed in docs/preflight.md. */
  id: string;
  group: Group;
  /** Nothing: this config does not need the check. */
  run(facts: Facts): Promise<Finding[]>;
}

type More = Omit<Finding, "status" | "message">;

export const pass = (message: string): Finding => ({ status: "pass", message });
export const fail = (message: string, more: More = {}): Finding => ({ status: "fail", message, ...more });
export const warn = (message: string, more: More = {}): Finding => ({ status: "warn", message, ...more });
export const note = (message: string, more: More = {}): Finding => ({ status: "note", message, ...more });
export const skip = (message: string, more: More = {}): Finding => ({ status: "skip", message, ...more });

/** What was found, or if that is nothing, one pass. */
export const orPass = (findings: Finding[], message: string): Finding[] =>
  findings.length > 0 ? findings : [pass(message)];

/** Thrown where the cluster is not asked because of a problem that another check reports. */
export class NotAsked extends Error {
  override name = "NotAsked";
}

/** Runs a check for each item. `NotAsked` skips one item, not the others; each reason is told once. */
export async function each<T>(
  items: readonly T[],
  look: (item: T) => Finding[] | Promise<Finding[]>,
): Promise<Finding[]> {
  const found = await Promise.all(
    items.map(async (item) => {
      try {
        return await look(item);
      } catch (error) {
        if (error instanceof NotAsked) return [skip(error.message)];
        throw error;
      }
    }),
  );
  const said = new Set<string>();
  return found.flat().filter(({ status, message }) => {
    if (status !== "skip") return true;
    const first = !said.has(message);
    said.add(message);
    return first;
  });
}
