import { replicasOf } from "../../config/replicas.ts";
import { list } from "../../config/text.ts";
import { limited, type Named, type Things } from "./names.ts";
import { type Options, type Run, UsageError } from "./options.ts";
import { STAGES, type Stage, skippedStages, stagesOf } from "./stages.ts";

/** A run of a part of the fleet, in Pulumi's terms. */
export interface PartOfRun {
  /** `--target` and `--exclude` with their globs. */
  args: string[];
  /** What a user should know of it, a sentence each. */
  notes: string[];
}

/** Types of the resources of each stage. */
const TYPES: Record<Stage, readonly string[]> = {
  image: ["Image"],
  vm: ["SnippetFiles", "FileLegacy", "VmGuard", "VmLegacy"],
  template: ["TemplateConversion"],
  clones: ["Clone"],
};

/** The resource that is there when a stage of a template has been done. */
const RESULT = { image: "image", vm: "vm", template: "conversion" } as const;
type TemplateStage = keyof typeof RESULT;
const TEMPLATE_STAGES = ["image", "vm", "template"] as const satisfies readonly TemplateStage[];

const SAID: Record<TemplateStage, string> = { image: "image", vm: "VM", template: "conversion" };

const PREFLIGHT = "**Preflight::preflight";

const ofType = (stage: Stage, name = "*") => TYPES[stage].map((type) => `**${type}::${name}`);

/** Whether a template's part is in the state. In states of earlier versions its key stands in front of the name. */
function isMade(names: readonly string[], key: string, vmId: number, stage: TemplateStage): boolean {
  const name = `${vmId}-${RESULT[stage]}`;
  return names.some((one) => one === name || one.endsWith(`-${name}`) || (stage === "image" && one === `${key}-image`));
}

/** All of a template's globs, or those of some stages. */
function templateGlobs(key: string, vmId: number, stages: readonly TemplateStage[]): string[] {
  const parts =
    stages.length === TEMPLATE_STAGES.length
      ? [`**::${vmId}-*`]
      : stages.flatMap((stage) => ofType(stage, `${vmId}-*`));
  return [`**VmTemplate::${key}`, ...parts];
}

/** What a run needs and what was never made comes along; what is there stays as it is. */
function prerequisites(
  config: Named,
  wanted: ReadonlyMap<string, readonly Stage[]>,
  skipped: readonly Stage[],
  urns: readonly string[],
): { globs: string[]; notes: string[] } {
  const names = urns.map((urn) => urn.split("::").at(-1) ?? "");
  const missing = [...wanted].flatMap(([key, stages]) => {
    const template = config.templates[key];
    const last = Math.max(...stages.map((stage) => STAGES.indexOf(stage)));
    const before = TEMPLATE_STAGES.filter(
      (stage, index) => index < last && !stages.includes(stage) && !skipped.includes(stage),
    );
    const never = template ? before.filter((stage) => !isMade(names, key, template.vmId, stage)) : [];
    return template && never.length > 0 ? [{ key, vmId: template.vmId, never }] : [];
  });
  return {
    globs: missing.flatMap(({ key, vmId, never }) => templateGlobs(key, vmId, never)),
    notes: missing.map(
      ({ key, never }) =>
        `templates.${key}: ${list(never.map((stage) => SAID[stage]))} ${never.length === 1 ? "was" : "were"} never made and ${never.length === 1 ? "comes" : "come"} along.`,
    ),
  };
}

interface Choice {
  run: Run;
  stages: readonly Stage[];
  skipped: readonly Stage[];
  /** Undefined: everything. */
  things: Things | undefined;
}

const clonesOf = ({ cloneSets, leftOut }: Named) =>
  Object.entries({ ...cloneSets, ...leftOut }).flatMap(([set, { template, clones }]) =>
    clones.map(({ vmId }) => ({ set, template, vmId })),
  );

/** The templates of the run with their stages, and the clones. */
function concerned(config: Named, { stages, things }: Choice) {
  const own = stages.filter((stage): stage is TemplateStage => stage !== "clones");
  return {
    own,
    templates: Object.keys(config.templates).filter((key) => own.length > 0 && (!things || things.templates.has(key))),
    clones: stages.includes("clones") ? clonesOf(config).filter(({ vmId }) => !things || things.clones.has(vmId)) : [],
  };
}

/** What of the fleet `preview` and `up` are about. */
function made(config: Named, choice: Choice, urns: readonly string[]): { globs: string[]; notes: string[] } {
  const { own, templates, clones } = concerned(config, choice);
  const wanted = new Map<string, Stage[]>(templates.map((key) => [key, [...own]]));
  for (const { template } of clones)
    for (const key of Object.values(replicasOf(config.templates, template)))
      wanted.set(key, [...(wanted.get(key) ?? []), "clones"]);
  const needed = prerequisites(config, wanted, choice.skipped, urns);
  const whole = choice.things === undefined;
  const ofTemplates = whole
    ? own.length > 0
      ? ["**VmTemplate::*", ...own.flatMap((stage) => ofType(stage))]
      : []
    : templates.flatMap((key) => templateGlobs(key, config.templates[key]?.vmId ?? 0, own));
  const ofClones = whole
    ? choice.stages.includes("clones")
      ? ["**CloneSet::*", ...ofType("clones")]
      : []
    : [
        ...new Set(clones.map(({ set }) => `**CloneSet::${set}`)),
        ...clones.flatMap(({ vmId }) => ofType("clones", `vm-${vmId}`)),
      ];
  return { globs: [PREFLIGHT, ...needed.globs, ...ofTemplates, ...ofClones], notes: needed.notes };
}

/** What `refresh` reads: it changes nothing on the cluster, so neither preflight nor what stands above is needed. */
function read(config: Named, choice: Choice): string[] {
  const { own, templates, clones } = concerned(config, choice);
  if (!choice.things) return [...choice.stages.flatMap((stage) => ofType(stage))];
  return [
    ...templates.flatMap((key) => own.flatMap((stage) => ofType(stage, `${config.templates[key]?.vmId}-*`))),
    ...clones.flatMap(({ vmId }) => ofType("clones", `vm-${vmId}`)),
  ];
}

/**
 * What `destroy` deletes: a stage and all that is made of it. Deleting the conversion deletes the template's VM, so `template` is
 * `vm`. There is nothing to look at beforehand, and preflight, by whose memory the fleet knows its VMs, stays.
 */
function deleted(config: Named, choice: Choice): string[] {
  const first = choice.stages.includes("image") ? 0 : choice.stages.some((stage) => stage !== "clones") ? 1 : 3;
  const isLeft = (stage: Stage) => !choice.skipped.includes(stage);
  const stages = choice.stages.length === 0 ? [] : STAGES.slice(first).filter(isLeft);
  if (!choice.things) {
    const parents = [
      ...(stages.includes("clones") ? ["**CloneSet::*"] : []),
      ...(stages.length === STAGES.length ? ["**VmTemplate::*"] : []),
    ];
    return [...parents, ...stages.flatMap((stage) => ofType(stage))];
  }
  const { own, templates, clones } = concerned(config, { ...choice, stages });
  const replicas = new Set(templates);
  // The clones of a template go with it.
  const dependent = clonesOf(config).filter(
    ({ template }) =>
      isLeft("clones") && Object.values(replicasOf(config.templates, template)).some((key) => replicas.has(key)),
  );
  const vmIds = new Set([...clones, ...dependent].map(({ vmId }) => vmId));
  return [
    ...templates.flatMap((key) => {
      const [parent = "", ...globs] = templateGlobs(key, config.templates[key]?.vmId ?? 0, own);
      return first === 0 ? [parent, ...globs] : globs;
    }),
    ...[...vmIds].flatMap((vmId) => ofType("clones", `vm-${vmId}`)),
  ];
}

const LEFT_ALONE: Record<Run, string> = {
  preview: "stay as they are, and none is made",
  up: "stay as they are, and none is made",
  refresh: "are not read",
  destroy: "stay, with all that they need",
};

const WHAT: Record<Stage, string> = {
  image: "Images",
  vm: "VMs of templates",
  template: "Conversions to templates",
  clones: "Clones",
};

/**
 * What `--tags`, `--skip-tags` and `--limit` are in Pulumi's terms. Nothing, if none of them is given.
 *
 * @param urns of all resources in the stack's state
 * @throws UsageError for a tag or name that there is not, and for a choice of nothing
 */
export function partOf(
  run: Run,
  options: Pick<Options, "tags" | "skipTags" | "limit">,
  config: Named,
  urns: readonly string[],
): PartOfRun {
  const { tags, skipTags, limit } = options;
  const skipped = skippedStages(skipTags);
  const notes = skipped.map(
    (stage) =>
      `${WHAT[stage]} that exist ${LEFT_ALONE[run]}${stage === "clones" && run !== "refresh" && run !== "destroy" ? " (createClones: false would delete them)" : ""}.`,
  );
  if (tags.length + limit.length === 0)
    return {
      args: skipped.flatMap((stage) => excluded(stage).flatMap((glob) => ["--exclude", glob])),
      notes,
    };
  const chosen = tags.length > 0 ? stagesOf(tags) : [...STAGES];
  const stages = chosen.filter((stage) => !skipped.includes(stage));
  const choice: Choice = { run, stages, skipped, things: limit.length > 0 ? limited(limit, config) : undefined };
  const isMaking = run === "preview" || run === "up";
  const { globs, notes: more } = isMaking
    ? made(config, choice, urns)
    : { globs: run === "refresh" ? read(config, choice) : deleted(config, choice), notes: [] };
  const isOnlyPreflight = globs.every((glob) => glob === PREFLIGHT);
  if (isOnlyPreflight && (stages.length > 0 || !isMaking || skipped.length > 0)) throw nothing(run, options);
  return { args: [...new Set(globs)].flatMap((glob) => ["--target", glob]), notes: [...notes, ...more] };
}

/** A set as a whole: the component and its clones. */
const excluded = (stage: Stage): string[] => (stage === "clones" ? ["**:index:CloneSet**"] : ofType(stage));

function nothing(run: Run, { tags, skipTags, limit }: Pick<Options, "tags" | "skipTags" | "limit">): UsageError {
  const said = [
    ...(tags.length > 0 ? [`--tags ${tags.join(",")}`] : []),
    ...(skipTags.length > 0 ? [`--skip-tags ${skipTags.join(",")}`] : []),
    ...(limit.length > 0 ? [`--limit ${limit.join(",")}`] : []),
  ];
  return new UsageError(
    `${said.join(" ")}: nothing is left for ${run}. A template has the stages image, vm and template, a clone the stage clones; preflight ${run === "refresh" || run === "destroy" ? `has nothing to ${run}` : "alone is --tags preflight"}.`,
  );
}
