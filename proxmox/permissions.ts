import type { Permissions } from "./cluster.ts";

/** `/vms/100` as `/vms/100`, `/vms`, `/` */
function upwards(path: string): string[] {
  const parts = path.split("/").filter(Boolean);
  return [...parts.map((_, index) => `/${parts.slice(0, parts.length - index).join("/")}`), "/"];
}

/**
 * The privileges on a path, from what `/access/permissions` lists. Entries of the path itself count whole; of a path
 * above it only what propagates, and the nearest path that propagates anything hides those above it: that is how PVE
 * applies its ACLs. (A path where a role such as NoAccess takes everything away is not in PVE's list and cannot be seen.)
 */
export function privilegesOn(permissions: Permissions, path: string): ReadonlySet<string> {
  const [own = "", ...above] = upwards(path);
  const here = Object.keys(permissions[own] ?? {});
  if (here.length > 0) return new Set(here);
  for (const ancestor of above) {
    const passedOn = Object.entries(permissions[ancestor] ?? {}).flatMap(([name, flag]) => (flag ? [name] : []));
    if (passedOn.length > 0) return new Set(passedOn);
  }
  return new Set();
}
