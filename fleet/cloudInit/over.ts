import type { FirstBoot } from "../../config/cloudInit.ts";
import { merge } from "./merge.ts";

/** Lists of which both are done, the template's first. */
const ADDED = ["packages", "runCommands", "writeFiles"] as const;
/** cloud-config, which is merged key by key. */
const MERGED = ["vendor", "userData"] as const;
/** Who may log in is one statement, however it is made. */
const KEYS = ["sshPublicKeyFile", "sshPublicKeys"] as const;

/**
 * A first-boot configuration with another one over it, as a set's over its template's, and a clone's over its set's. Lists of
 * things to do are added, cloud-config is merged, SSH keys take the place of all others, and so does everything else.
 */
export function over<T extends FirstBoot>(base: T, own: FirstBoot): T {
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  const result: Record<string, unknown> = { ...base };
  if (KEYS.some((key) => own[key] !== undefined)) {
    delete result.sshPublicKeyFile;
    result.sshPublicKeys = [];
  }
  Object.assign(result, given);
  for (const key of ADDED) {
    const all = [...(base[key] ?? []), ...(own[key] ?? [])];
    if (all.length > 0) result[key] = key === "packages" ? [...new Set(all)] : all;
  }
  for (const key of MERGED) {
    const [under, above] = [base[key], own[key]];
    if (under && above) result[key] = merge(under, above);
  }
  return result as T;
}
