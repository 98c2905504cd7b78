import { didYouMean, list } from "../../config/text.ts";
import { UsageError } from "./options.ts";

/** The stages of a run, in their order. Preflight comes before all of them and is none: it is part of every run. */
export const STAGES = ["image", "vm", "template", "clones"] as const;
export type Stage = (typeof STAGES)[number];

/** Tags that name a stage by themselves, with what they stand for; `template` as in the role: the clones too. */
const TAGS: Readonly<Record<string, readonly Stage[]>> = {
  preflight: [],
  image: ["image"],
  vm: ["vm"],
  template: ["template", "clones"],
  clones: ["clones"],
  always: [],
};

/** Tags that name what is done in a stage: alone, all stages that do it; beside a stage, that stage alone. */
const STEPS: Readonly<Record<string, readonly Stage[]>> = {
  create: ["vm", "template", "clones"],
  configure: ["vm"],
};

const KNOWN = [...Object.keys(TAGS), ...Object.keys(STEPS)];

function check(option: string, tags: readonly string[]): void {
  for (const tag of tags) {
    if (KNOWN.includes(tag)) continue;
    const meant = didYouMean(tag, KNOWN);
    throw new UsageError(
      `${option}: found "${tag}"; ${meant ? `did you mean "${meant}"? There are` : "expected one of"} ${list(KNOWN, meant ? "and" : "or")}`,
    );
  }
}

const inOrder = (stages: ReadonlySet<Stage>): Stage[] => STAGES.filter((stage) => stages.has(stage));

/** The stages of `--tags`. */
export function stagesOf(tags: readonly string[]): Stage[] {
  check("--tags", tags);
  const named = tags.filter((tag) => tag in TAGS && tag !== "always" && tag !== "preflight");
  const steps = tags.filter((tag) => tag in STEPS);
  if (named.length === 0) return inOrder(new Set([...tags.flatMap((tag) => [...(TAGS[tag] ?? STEPS[tag] ?? [])])]));
  // A stage and what is done in it, `template,create`, is how the role names that stage and no other.
  return inOrder(
    new Set(named.flatMap((tag) => (steps.length > 0 && tag === "template" ? ["template"] : [...(TAGS[tag] ?? [])]))),
  );
}

/** The stages of `--skip-tags`: `template` is the conversion alone, as in the role. */
export function skippedStages(tags: readonly string[]): Stage[] {
  check("--skip-tags", tags);
  const refused = tags.find((tag) => tag === "preflight" || tag === "always");
  if (refused)
    throw new UsageError(
      `--skip-tags: found "${refused}"; preflight is part of every run, so that nothing is changed without a look at it first`,
    );
  const step = tags.find((tag) => tag in STEPS);
  if (step) throw new UsageError(`--skip-tags: found "${step}"; expected the stages themselves: ${list(STAGES, "or")}`);
  return inOrder(new Set(tags as readonly Stage[]));
}
