import type { Fleet } from "../fleet.ts";
import { oncePerPlace, type Problem } from "../problem.ts";
import { originals } from "../replicas.ts";
import { repeated } from "./vmIds.ts";

/** Every MAC address of the config, in upper case, with its place. */
export function macsOf({
  templates,
  cloneSets,
}: Pick<Fleet, "templates" | "cloneSets">): { mac: string; path: string }[] {
  const found = (path: string, nics: readonly { mac?: string | undefined }[]) =>
    nics.flatMap(({ mac }, index) => (mac === undefined ? [] : [{ mac, path: `${path}.nics[${index}].mac` }]));
  return [
    ...originals(templates).flatMap(([, { path, nics }]) => found(path, nics)),
    ...Object.values(cloneSets).flatMap(({ clones }) => clones.flatMap(({ path, nics }) => found(path, nics))),
  ];
}

/** A MAC address stands for one network card. */
export function uniqueMacs(fleet: Pick<Fleet, "templates" | "cloneSets">): Problem[] {
  const twice = repeated(macsOf(fleet), ({ mac }) => mac).map(({ item, first }) => ({
    path: item.path,
    message: `${item.mac} is taken by ${first.path}; expected one that nothing else in the config has`,
  }));
  return oncePerPlace(twice);
}
