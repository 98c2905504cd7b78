import type { Fleet } from "../config/fleet.ts";
import type { CloneInfo } from "../providers/clone/cloneInfo.ts";
import { ranges } from "../providers/preflight/ranges.ts";
import type { StoredClone } from "./before.ts";
import { isConcerned, type RunPart } from "./runPart.ts";

/** What is told of a run that leaves a part of the fleet out: that part as it was before. */

type Config = Pick<Fleet, "templates" | "cloneSets">;
type Clones = Record<string, readonly CloneInfo[]>;

/** The clones of the state that the run does not touch. */
function untouched({ templates, cloneSets }: Config, run: RunPart): StoredClone[] {
  const configured = new Map(
    Object.entries(cloneSets).flatMap(([key, set]) => set.clones.map(({ vmId }) => [vmId, { key, set }] as const)),
  );
  return run.before.clones.filter(({ info: { vmId } }) => {
    const own = configured.get(vmId);
    return own ? !isConcerned(run, own.key, own.set, vmId, { templates }) : !run.part.hasLostClone(vmId);
  });
}

/**
 * The clones of each set: those that the run is about as it has left them, the others as they were, be they in the config or
 * not.
 *
 * @param made the clones of the config
 */
export function knownClones(made: Clones, config: Config, run: RunPart): Clones {
  const others = untouched(config, run);
  if (others.length === 0) return made;
  const ids = new Set(others.map(({ info }) => info.vmId));
  const keys = new Set([...Object.keys(made), ...others.map(({ set }) => set)]);
  return Object.fromEntries(
    [...keys].map((key) => {
      const place = new Map(config.cloneSets[key]?.clones.map(({ vmId }, index) => [vmId, index]));
      const placeOf = ({ vmId }: CloneInfo) => place.get(vmId) ?? Number.MAX_SAFE_INTEGER;
      const now = (made[key] ?? []).filter(({ vmId }) => !ids.has(vmId));
      const then = others.flatMap(({ set, info }) => (set === key ? [info] : []));
      return [key, [...now, ...then].sort((a, b) => placeOf(a) - placeOf(b) || a.vmId - b.vmId)];
    }),
  );
}

interface Made {
  vmId: number;
  image: { checksum: string | undefined };
}

type Partly<T> = { [K in keyof T]: T[K] | undefined };

/** What a run leaves out and was never made has no outputs; of an image, older engines give an object without any. */
const isMade = <T extends Made>(template: Partly<T>): template is T =>
  Object.values(template).every((value) => value !== undefined) && Boolean(template.image?.checksum);

/** The templates by the same rule. */
export function knownTemplates<T extends Made>(
  made: Readonly<Record<string, Partly<T>>>,
  { templates }: Pick<Config, "templates">,
  { part, before }: RunPart,
): Record<string, T> {
  const reported = Object.entries((before.output("templates") ?? {}) as Record<string, T>);
  const now = Object.entries(made).flatMap(([key, template]): [string, T][] => {
    if (!isMade(template)) return [];
    const isIn = part.hasTemplate(key, template.vmId);
    const then = reported.find(([, { vmId }]) => vmId === template.vmId)?.[1];
    return [[key, isIn ? template : (then ?? template)]];
  });
  const ids = new Set(Object.values(templates).map(({ vmId }) => vmId));
  const lost = reported.filter(
    ([key, { vmId }]) => !ids.has(vmId) && !part.hasTemplate(key, vmId) && before.hasPart(vmId, "conversion"),
  );
  return Object.fromEntries([...lost, ...now]);
}

/** `9101 to 9103 stay as they were, 9104 was not made` */
function fates(stay: readonly number[], unmade: readonly number[]): string {
  return [
    ...(stay.length > 0 ? [`${ranges(stay)} ${stay.length === 1 ? "stays as it was" : "stay as they were"}`] : []),
    ...(unmade.length > 0 ? [`${ranges(unmade)} ${unmade.length === 1 ? "was" : "were"} not made`] : []),
  ].join(", ");
}

/** What the run was not about, a line for each template and clone set. */
export function leftOutLines(config: Config, run: RunPart): string[] {
  const { templates, cloneSets } = config;
  const { part, before } = run;
  const others = untouched(config, run);
  const ids = new Set(others.map(({ info }) => info.vmId));
  const ofTemplates = Object.entries(templates).flatMap(([key, { vmId }]) => {
    if (part.hasTemplate(key, vmId)) return [];
    const isThere = before.hasPart(vmId, "conversion");
    return [`templates.${key}: ${fates(isThere ? [vmId] : [], isThere ? [] : [vmId])}`];
  });
  const keys = new Set([...Object.keys(cloneSets), ...others.map(({ set }) => set)]);
  const ofSets = [...keys].flatMap((key) => {
    const set = cloneSets[key];
    const stay = others.flatMap((one) => (one.set === key ? [one.info.vmId] : []));
    const unmade = (set?.clones ?? []).flatMap(({ vmId }) =>
      set && !ids.has(vmId) && !isConcerned(run, key, set, vmId, config) ? [vmId] : [],
    );
    const name = `cloneSets.${key}${set?.keep ? " (createClones: keep)" : ""}`;
    return stay.length + unmade.length > 0 ? [`${name}: ${fates(stay, unmade)}`] : [];
  });
  return [...(part.hasPreflight ? [] : ["preflight: nothing was looked at beforehand"]), ...ofTemplates, ...ofSets];
}
