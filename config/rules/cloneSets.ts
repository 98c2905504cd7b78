import type { Hardware } from "../cloneSet.ts";
import { type CloneSet, type CloneSource, type Fleet, sourcesIn } from "../fleet.ts";
import type { Login } from "../login.ts";
import type { Problem } from "../problem.ts";
import { gpuProblems, isNotRoot } from "./hardware.ts";

/** What a clone set asks for is what its template, and a clone that is stopped, can give. */
export function fitting(
  { cloneSets, ...all }: Pick<Fleet, "templates" | "existing" | "cloneSets">,
  login: Login | undefined,
): Problem[] {
  return Object.entries(cloneSets).flatMap(([key, set]) => {
    const at = `cloneSets.${key}`;
    const template = sourcesIn(all)[set.template];
    return [
      ...readiness(set, template, at),
      ...(template ? [...disks(set, template, at), ...devices(set, template, at, login)] : []),
    ];
  });
}

function readiness(
  { waitFor, start, template: key }: CloneSet,
  template: CloneSource | undefined,
  at: string,
): Problem[] {
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

function disks(set: CloneSet, { disk }: CloneSource, at: string): Problem[] {
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

/** What a set says of its clones' hardware, and what a clone says itself. */
function devices(set: CloneSet, template: CloneSource, at: string, login: Login | undefined): Problem[] {
  const { machine, cpu } = template;
  const check = (path: string, { gpus, affinity, hotplug, numa = cpu.numa }: Hardware): Problem[] => [
    ...gpuProblems(gpus ?? [], `${path}.gpus`, machine, login),
    ...(affinity !== undefined && isNotRoot(login)
      ? [
          {
            path: `${path}.affinity`,
            message: `found "${affinity}", which PVE takes from root@pam with a password only; expected none with this login`,
          },
        ]
      : []),
    ...(hotplug?.includes("memory") && !numa
      ? [{ path: `${path}.hotplug`, message: 'found "memory", which needs NUMA; expected numa: true with it' }]
      : []),
  ];
  const ofSet = check(at, set);
  const told = new Set(ofSet.map(({ message }) => message));
  return [
    ...ofSet,
    ...set.clones.flatMap((clone) =>
      clone.path === at ? [] : check(clone.path, clone).filter(({ message }) => !told.has(message)),
    ),
  ];
}
