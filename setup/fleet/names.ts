import type { LoadedConfig } from "../../config/load.ts";
import { replicasOf } from "../../config/replicas.ts";
import { didYouMean, list } from "../../config/text.ts";
import { UsageError } from "./options.ts";

export type Named = Pick<LoadedConfig, "templates" | "existing" | "cloneSets" | "leftOut" | "open" | "problems">;

/** The templates and clones that a run is about. */
export interface Things {
  /** Keys of templates. */
  templates: ReadonlySet<string>;
  /** VMIDs of clones. */
  clones: ReadonlySet<number>;
}

const setsOf = ({ cloneSets, leftOut }: Named) => Object.entries({ ...cloneSets, ...leftOut });

/** All that `--limit` knows, by name: templates, clone sets, clones, and the VMIDs of both. */
function names(config: Named): Map<string, { templates: string[]; clones: number[] }> {
  const all = new Map<string, { templates: string[]; clones: number[] }>();
  const add = (name: string, templates: string[], clones: number[]) => {
    const known = all.get(name) ?? { templates: [], clones: [] };
    all.set(name, { templates: [...known.templates, ...templates], clones: [...known.clones, ...clones] });
  };
  for (const [key, { vmId, replicaOf }] of Object.entries(config.templates)) {
    add(key, replicaOf === undefined ? Object.values(replicasOf(config.templates, key)) : [key], []);
    add(String(vmId), [key], []);
  }
  for (const [key, { clones }] of setsOf(config)) {
    add(
      key,
      [],
      clones.map(({ vmId }) => vmId),
    );
    for (const { name, vmId } of clones) {
      add(name, [], [vmId]);
      add(String(vmId), [], [vmId]);
    }
  }
  return all;
}

/** The templates that were made elsewhere, by key and by VMID; not in a run, so nobody can limit one to them. */
function madeElsewhere({ existing, open }: Named): Map<string, string> {
  const keys = Object.keys({ ...open?.existing, ...existing });
  const named = keys.flatMap((key): [string, string][] => {
    const vmId = existing[key]?.vmId ?? open?.existing[key]?.query.vmId;
    return vmId === undefined ? [] : [[String(vmId), key]];
  });
  return new Map([...named, ...keys.map((key): [string, string] => [key, key])]);
}

/** Said of a template that was made elsewhere. */
function onlyCloned(word: string, key: string, config: Named): UsageError {
  const sets = setsOf(config).flatMap(([set, { template }]) => (template === key ? [set] : []));
  const what = sets.length > 0 ? `its clone sets, ${list(sets)}, or clones of theirs` : "clone sets or clones of it";
  return new UsageError(
    `--limit: found "${word}", but templates.${key} was made elsewhere and is only cloned: no run makes or changes it; expected ${what}`,
  );
}

/** Most clones that are named where a name is not known. */
const SHOWN = 20;

function unknown(word: string, config: Named, known: readonly string[]): UsageError {
  const meant = didYouMean(word, known);
  const clones = setsOf(config).flatMap(([, set]) => set.clones.map(({ name }) => name));
  const more = clones.length > SHOWN ? [`${clones.length - SHOWN} more`] : [];
  const lists = [
    ["templates", Object.keys(config.templates)],
    ["clone sets", setsOf(config).map(([key]) => key)],
    ["clones", [...clones.slice(0, SHOWN), ...more]],
  ] as const;
  const lines = lists.map(([what, some]) => `  ${what}: ${some.length > 0 ? list(some) : "none"}`);
  const broken =
    config.problems.length > 0 ? ["Entries with mistakes are not listed; npm run fleet -- doctor shows them"] : [];
  return new UsageError(
    [
      `--limit: found "${word}"; ${meant ? `did you mean "${meant}"?` : "nothing in the config has this name or VMID."} There are`,
      ...lines,
      ...broken,
    ].join("\n"),
  );
}

/**
 * What the words of `--limit` stand for.
 *
 * @throws UsageError for one that nothing is called by
 */
export function limited(words: readonly string[], config: Named): Things {
  const all = names(config);
  const elsewhere = madeElsewhere(config);
  const found = words.map((word) => {
    const things = all.get(word);
    const key = elsewhere.get(word);
    if (!things && key !== undefined) throw onlyCloned(word, key, config);
    if (!things) throw unknown(word, config, [...all.keys()]);
    return things;
  });
  return {
    templates: new Set(found.flatMap(({ templates }) => templates)),
    clones: new Set(found.flatMap(({ clones }) => clones)),
  };
}
