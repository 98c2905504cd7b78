/** Which resources a run of the engine is about, as its options say: `--target`, `--exclude`. */
export interface Selection {
  /** URNs and globs; none: all resources. */
  targets: readonly string[];
  /** URNs and globs of what is left out. The CLI takes either these or targets. */
  excludes: readonly string[];
  /** `--target-dependents`: also what depends on a target. */
  targetDependents: boolean;
  /** `--exclude-dependents`: neither what depends on something that is left out. */
  excludeDependents: boolean;
}

/** A run of everything. */
export const EVERYTHING: Selection = { targets: [], excludes: [], targetDependents: false, excludeDependents: false };

/** Whether a run is about a part of the stack only. */
export const isPartial = ({ targets, excludes }: Selection): boolean => targets.length + excludes.length > 0;

/** The engine's own globs: `**` stands for anything, `*` for anything without a colon. */
function globMatches(glob: string, urn: string): boolean {
  const quoted = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = glob
    .split("**")
    .map((part) => part.split("*").map(quoted).join("[^:]*"))
    .join(".*");
  return new RegExp(`^${pattern}$`).test(urn);
}

const matches = (globs: readonly string[], urn: string): boolean =>
  globs.some((glob) => (glob.includes("*") ? globMatches(glob, urn) : glob === urn));

/**
 * Whether a run is about a resource.
 *
 * @param dependencies URNs of all that the resource depends on, over any number of steps
 */
export function includes(selection: Selection, urn: string, dependencies: readonly string[] = []): boolean {
  const { targets, excludes, targetDependents, excludeDependents } = selection;
  const matched = (globs: readonly string[], dependents: boolean) =>
    matches(globs, urn) || (dependents && dependencies.some((one) => matches(globs, one)));
  if (targets.length > 0) return matched(targets, targetDependents);
  return !matched(excludes, excludeDependents);
}
