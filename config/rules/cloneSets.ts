import { type CloneSet, type Fleet, placeOf } from "../fleet.ts";
import type { Problem } from "../problem.ts";
import type { Template } from "../template.ts";

/** What a clone set asks for is what its template, and a clone that is stopped, can give. */
export function fitting({ templates, cloneSets }: Pick<Fleet, "templates" | "cloneSets">): Problem[] {
  return Object.entries(cloneSets).flatMap(([key, set]) => {
    const at = `cloneSets.${key}`;
    const template = templates[set.template];
    return [
      ...readiness(set, template, at),
      ...(template ? [...disks(set, template, at), ...nics(set, template, at)] : []),
    ];
  });
}

function readiness({ waitFor, start, template: key }: CloneSet, template: Template | undefined, at: string): Problem[] {
  if (waitFor !== "agent" && waitFor !== "cloud-init") return [];
  const wrong = (message: string) => [{ path: `${at}.waitFor`, message: `found "${waitFor}"${message}` }];
  if (!start)
    return wrong(" with start: false, so nothing would ever answer; expected start: true, or waitFor: started");
  if (template?.agent === false)
    return wrong(
      `, but templates.${key}.agent is false, so nothing would ever answer; expected agent: true there, or waitFor: started`,
    );
  return [];
}

function disks(set: CloneSet, { disk }: Template, at: string): Problem[] {
  const least = `templates.${set.template}.disk.sizeGiB (${disk.sizeGiB}): a disk cannot shrink`;
  const check = (path: string, found: number | undefined): Problem[] =>
    found !== undefined && found < disk.sizeGiB
      ? [{ path: `${path}.diskGiB`, message: `found ${found}; expected at least ${least}` }]
      : [];
  return [
    ...check(at, set.diskGiB),
    ...set.clones.flatMap(({ path, diskGiB }) => (diskGiB === set.diskGiB ? [] : check(path, diskGiB))),
  ];
}

function nics(set: CloneSet, template: Template, at: string): Problem[] {
  const count = template.nics.length;
  const check = (path: string, found: number): Problem[] =>
    found > count
      ? [
          {
            path,
            message: `found ${found} network interfaces; expected at most ${count}, as templates.${set.template}.nics has`,
          },
        ]
      : [];
  return [
    ...check(`${at}.nics`, set.nics.length),
    // A clone's interfaces are the set's with its own; where they are no more than the set's, the set has been told.
    ...set.clones.flatMap(({ path, nics: own }) =>
      own.length > set.nics.length ? check(placeOf(path, "nics"), own.length) : [],
    ),
  ];
}
