import { replicasOf } from "../../config/replicas.ts";
import { list } from "../../config/text.ts";
import { PREFLIGHT_GLOB } from "../../fleet/part.ts";
import { limited, type Named } from "./names.ts";
import { type Options, type Run, UsageError } from "./options.ts";
import { STAGES, type Stage, skippedStages, stagesOf } from "./stages.ts";
import { inState, isMade, TEMPLATE_STAGES, type TemplateStage } from "./stored.ts";

/** A run of a part of the fleet, in Pulumi's terms. */
export interface PartOfRun {
  /** `--target` and `--exclude` with their globs. */
  args: string[];
  /** What a user should know of it, a sentence each. */
  notes: string[];
}

/** What a run is about: of each stage all there is, or some VMIDs. */
type Chosen = ReadonlyMap<Stage, "all" | ReadonlySet<number>>;

/** Types of the resources of each stage. */
const TYPES: Record<Stage, readonly string[]> = {
  image: ["Image"],
  vm: ["SnippetFiles", "FileLegacy", "VmGuard", "VmLegacy"],
  template: ["TemplateConversion"],
  clones: ["Clone"],
};

/** Types of which clones may have resources, too. */
const SNIPPETS: readonly string[] = ["SnippetFiles", "FileLegacy"];

const all = (stage: Stage): string[] => TYPES[stage].map((type) => `**${type}::*`);
const of = (stage: Stage, vmId: number): string[] =>
  TYPES[stage].map((type) => `**${type}::${stage === "clones" ? `vm-${vmId}` : `${vmId}-*`}`);
const CLONE_SETS = "**:index:CloneSet**";
/** The snippets of clones that have their own; they are few, and a clone needs those that it boots with. */
const CLONE_SNIPPETS = "**:index:CloneSnippets**";

/** Of a template with all of its stages one glob will do. */
const ofTemplate = (vmId: number, stages: readonly Stage[]): string[] =>
  stages.length === TEMPLATE_STAGES.length ? [`**::${vmId}-*`] : stages.flatMap((stage) => of(stage, vmId));

const options = (name: "--target" | "--exclude", globs: readonly string[]): string[] =>
  [...new Set(globs)].flatMap((glob) => [name, glob]);

const has = (chosen: Chosen, stage: Stage, vmId: number): boolean => {
  const some = chosen.get(stage);
  return some === "all" || some?.has(vmId) === true;
};

/** The clones of the config, with the keys of their set and of the templates that they are made of. */
const clonesOf = ({ cloneSets, leftOut, templates }: Named) =>
  Object.entries({ ...cloneSets, ...leftOut }).flatMap(([set, { template, clones }]) =>
    clones.map(({ vmId, cloudInit }) => ({
      set,
      vmId,
      sources: Object.values(replicasOf(templates, template)),
      ownBoot: cloudInit !== undefined,
    })),
  );

/** The stages, of what `--limit` names. */
function chosenOf(config: Named, stages: readonly Stage[], limit: readonly string[]): Chosen {
  if (limit.length === 0) return new Map(stages.map((stage) => [stage, "all"]));
  const { templates, clones } = limited(limit, config);
  const vmIds = new Set([...templates].flatMap((key) => config.templates[key]?.vmId ?? []));
  return new Map(stages.map((stage) => [stage, stage === "clones" ? clones : vmIds]));
}

const isEmpty = (chosen: Chosen): boolean => [...chosen.values()].every((some) => some !== "all" && some.size === 0);

interface Missing {
  key: string;
  vmId: number;
  stages: TemplateStage[];
}

/** What the run needs of each template and was never made. */
function missing(config: Named, chosen: Chosen, skipped: readonly Stage[], urns: readonly string[]): Missing[] {
  const cloned = new Set(clonesOf(config).flatMap(({ vmId, sources }) => (has(chosen, "clones", vmId) ? sources : [])));
  return Object.entries(config.templates).flatMap(([key, { vmId }]) => {
    const own = TEMPLATE_STAGES.filter((stage) => has(chosen, stage, vmId));
    const last = cloned.has(key) ? TEMPLATE_STAGES.length : TEMPLATE_STAGES.indexOf(own.at(-1) ?? "image");
    const stages = TEMPLATE_STAGES.slice(0, last).filter(
      (stage) => !own.includes(stage) && !skipped.includes(stage) && !isMade(urns, key, vmId, stage),
    );
    return stages.length > 0 ? [{ key, vmId, stages }] : [];
  });
}

function withMissing(chosen: Chosen, more: readonly Missing[]): Chosen {
  const every = STAGES.flatMap((stage): [Stage, "all" | Set<number>][] => {
    const some = chosen.get(stage);
    if (some === "all") return [[stage, some]];
    const added = more.flatMap(({ vmId, stages }) => (stages.some((one) => one === stage) ? [vmId] : []));
    return [[stage, new Set([...(some ?? []), ...added])]];
  });
  return new Map(every);
}

/** Preflight, what the run is about, and the components that it belongs to. */
function targets(config: Named, chosen: Chosen): string[] {
  const isAll = (stage: Stage) => chosen.get(stage) === "all";
  const some = Object.entries(config.templates).flatMap(([key, { vmId }]) => {
    const stages = TEMPLATE_STAGES.filter((stage) => !isAll(stage) && has(chosen, stage, vmId));
    return stages.length > 0 ? [`**VmTemplate::${key}`, ...ofTemplate(vmId, stages)] : [];
  });
  const whole = TEMPLATE_STAGES.filter(isAll).flatMap(all);
  const clones = clonesOf(config).filter(({ vmId }) => has(chosen, "clones", vmId));
  return [
    PREFLIGHT_GLOB,
    ...(whole.length > 0 ? ["**VmTemplate::*"] : []),
    ...some.filter((glob) => whole.length === 0 || !glob.startsWith("**VmTemplate::")),
    ...whole,
    ...(clones.some(({ ownBoot }) => ownBoot) ? [CLONE_SNIPPETS] : []),
    ...(isAll("clones")
      ? ["**CloneSet::*", ...all("clones")]
      : [...clones.map(({ set }) => `**CloneSet::${set}`), ...clones.flatMap(({ vmId }) => of("clones", vmId))]),
  ];
}

/** All of a stage, as it is left out. Snippets are of templates, and of clones that have their own: these go with the clones. */
function leftOut(stage: Stage, config: Named): string[] {
  const ownBoots = clonesOf(config).some(({ ownBoot }) => ownBoot);
  if (!ownBoots) return stage === "clones" ? [CLONE_SETS] : all(stage);
  if (stage === "clones") return [CLONE_SETS, CLONE_SNIPPETS];
  return TYPES[stage].map((type) => (SNIPPETS.includes(type) ? `**VmTemplate$**${type}::*` : `**${type}::*`));
}

/** The same by what is left out, be it in the config or, as `lost`, in the state alone. */
function excludes(config: Named, chosen: Chosen, lost: Lost): string[] {
  const templates = [...Object.values(config.templates).map(({ vmId }) => vmId), ...lost.templates];
  const clones = [...clonesOf(config).map(({ vmId }) => vmId), ...lost.clones];
  const stages = STAGES.flatMap((stage) => {
    const vmIds = stage === "clones" ? clones : templates;
    if (chosen.get(stage) === "all") return [];
    if (!vmIds.some((vmId) => has(chosen, stage, vmId))) return leftOut(stage, config);
    return vmIds.filter((vmId) => !has(chosen, stage, vmId)).flatMap((vmId) => of(stage, vmId));
  });
  return [
    ...stages,
    ...lost.components.map((component) =>
      component.startsWith("CloneSnippets::") ? CLONE_SNIPPETS : `**${component}`,
    ),
  ];
}

/** What is in the state and no longer in the config, as far as the run is not about it. */
interface Lost {
  templates: number[];
  clones: number[];
  /** `CloneSet::web` */
  components: string[];
}

function lostOf(config: Named, chosen: Chosen, urns: readonly string[]): Lost {
  const { templates, clones, components } = inState(urns);
  const own = new Set(Object.values(config.templates).map(({ vmId }) => vmId));
  const made = new Set(Object.values(config.cloneSets).flatMap((set) => set.clones.map(({ vmId }) => vmId)));
  const isIn = (stage: Stage) => chosen.get(stage) === "all";
  const hasAll = TEMPLATE_STAGES.every(isIn);
  const withOwnBoot = clonesOf(config).some(({ ownBoot }) => ownBoot);
  return {
    templates: templates.filter((vmId) => !own.has(vmId) && !hasAll),
    clones: clones.filter((vmId) => !made.has(vmId) && !has(chosen, "clones", vmId)),
    components: components.filter((component) => {
      const [type, key = ""] = component.split("::");
      if (type === "CloneSnippets") return !withOwnBoot && !isIn("clones");
      return type === "CloneSet"
        ? !(key in config.cloneSets) && !isIn("clones")
        : !(key in config.templates) && !TEMPLATE_STAGES.some(isIn);
    }),
  };
}

const SAID: Record<TemplateStage, string> = { image: "image", vm: "VM", template: "conversion" };

/** `preview` and `up`. */
function making(config: Named, chosen: Chosen, skipped: readonly Stage[], urns: readonly string[]): PartOfRun {
  const more = missing(config, chosen, skipped, urns);
  const complete = withMissing(chosen, more);
  const lost = lostOf(config, complete, urns);
  const notes = more.map(({ key, stages }) => {
    const [were, come] = stages.length === 1 ? ["was", "it"] : ["were", "them"];
    return `templates.${key}: ${list(stages.map((stage) => SAID[stage]))} ${were} never made; this run makes ${come} too.`;
  });
  // All that was made depends on preflight: where that is a target, Pulumi refuses to go on as long as something is left in the
  // state that is no target and not in the config.
  return lost.templates.length + lost.clones.length + lost.components.length > 0
    ? {
        args: options("--exclude", excludes(config, complete, lost)),
        notes: [...notes, "What is no longer in the config and not named here stays as it is."],
      }
    : { args: options("--target", targets(config, complete)), notes };
}

/** `refresh` reads, and changes nothing on the cluster: neither preflight nor components are needed. */
function reading(config: Named, chosen: Chosen): string[] {
  const isAll = (stage: Stage) => chosen.get(stage) === "all";
  const some = STAGES.filter((stage) => !isAll(stage));
  const templates = Object.values(config.templates).flatMap(({ vmId }) =>
    ofTemplate(
      vmId,
      some.filter((stage) => stage !== "clones" && has(chosen, stage, vmId)),
    ),
  );
  const clones = clonesOf(config).filter(({ vmId }) => !isAll("clones") && has(chosen, "clones", vmId));
  return [...STAGES.filter(isAll).flatMap(all), ...templates, ...clones.flatMap(({ vmId }) => of("clones", vmId))];
}

/**
 * `destroy` deletes a stage and all that is made of it. To delete the conversion is to delete the template's VM, so `template` is
 * `vm`. There is nothing to look at beforehand, and preflight, by whose memory the fleet knows its VMs, stays.
 */
function deleting(
  config: Named,
  stages: readonly Stage[],
  skipped: readonly Stage[],
  limit: readonly string[],
): string[] {
  const [first] = stages;
  if (first === undefined) return [];
  const from = first === "template" ? "vm" : first;
  const all = STAGES.slice(STAGES.indexOf(from)).filter((stage) => !skipped.includes(stage));
  const chosen = new Map(chosenOf(config, all, limit));
  const isWhole = all.length === STAGES.length;
  if (limit.length === 0)
    return [
      ...(all.includes("clones") ? ["**CloneSet::*"] : []),
      ...(isWhole ? ["**VmTemplate::*"] : []),
      ...reading(config, chosen),
    ];
  const going = Object.entries(config.templates).filter(([, { vmId }]) => has(chosen, from, vmId) && from !== "clones");
  const dependent = clonesOf(config).filter(({ sources }) => going.some(([key]) => sources.includes(key)));
  const some = chosen.get("clones");
  if (some instanceof Set) chosen.set("clones", new Set([...some, ...dependent.map(({ vmId }) => vmId)]));
  return [...(isWhole ? going.map(([key]) => `**VmTemplate::${key}`) : []), ...reading(config, chosen)];
}

const WHAT: Record<Stage, string> = {
  image: "Images",
  vm: "VMs of templates",
  template: "Templates",
  clones: "Clones",
};

const LEFT_ALONE: Record<Run, string> = {
  preview: "stay as they are, and none is made",
  up: "stay as they are, and none is made",
  refresh: "are not read",
  destroy: "stay, with all that they need",
};

const isMaking = (run: Run): boolean => run === "preview" || run === "up";

/**
 * What `--tags`, `--skip-tags` and `--limit` are in Pulumi's terms. Nothing, if none of them is given.
 *
 * @param urns of all resources in the stack's state
 * @throws UsageError for a tag or name that there is not, and for a choice of nothing
 */
export function partOf(
  run: Run,
  { tags, skipTags, limit }: Pick<Options, "tags" | "skipTags" | "limit">,
  config: Named,
  urns: readonly string[],
): PartOfRun {
  const skipped = skippedStages(skipTags);
  const notes = skipped.map((stage) => {
    const hint = stage === "clones" && isMaking(run) ? " (createClones: false would delete them)" : "";
    return `${WHAT[stage]} that exist ${LEFT_ALONE[run]}${hint}.`;
  });
  if (tags.length + limit.length === 0) {
    const globs = skipped.flatMap((stage) => leftOut(stage, config));
    return { args: options("--exclude", globs), notes };
  }
  const stages = (tags.length > 0 ? stagesOf(tags) : [...STAGES]).filter((stage) => !skipped.includes(stage));
  const chosen = chosenOf(config, stages, limit);
  const isPreflightAlone = isMaking(run) && tags.length > 0 && stagesOf(tags).length === 0;
  const nothing = () => new UsageError(emptyText(run, tags, skipTags, limit));
  if (isEmpty(chosen) && !isPreflightAlone && run !== "destroy") throw nothing();
  if (isMaking(run)) {
    const { args, notes: more } = making(config, chosen, skipped, urns);
    return { args, notes: [...notes, ...more] };
  }
  const globs = run === "refresh" ? reading(config, chosen) : deleting(config, stages, skipped, limit);
  if (globs.length === 0) throw nothing();
  return { args: options("--target", globs), notes };
}

function emptyText(run: Run, tags: readonly string[], skipTags: readonly string[], limit: readonly string[]): string {
  const said = [
    ...(tags.length > 0 ? [`--tags ${tags.join(",")}`] : []),
    ...(skipTags.length > 0 ? [`--skip-tags ${skipTags.join(",")}`] : []),
    ...(limit.length > 0 ? [`--limit ${limit.join(",")}`] : []),
  ].join(" ");
  const preflight = isMaking(run) ? "alone is --tags preflight" : `has nothing to ${run}`;
  return `${said}: nothing is left for ${run}. A template has the stages image, vm and template, a clone the stage clones; preflight ${preflight}.`;
}
