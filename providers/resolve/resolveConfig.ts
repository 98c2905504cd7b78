import type { LoadedConfig } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { Open, Resolved } from "../../config/resolved.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { connectionOf } from "../run/connection.ts";
import type { Past } from "./past.ts";

/** What is said where the cluster could not be asked. */
function unasked({ existing, sets }: Open, { message }: Error): Problem[] {
  const places = [...Object.values(existing), ...Object.values(sets)].map(({ path }) => path);
  const [reason = ""] = message.split("\n", 1);
  return places.map((path) => ({ path, message: `this could not be looked up on the cluster: ${reason}` }));
}

/**
 * A config with what it leaves to the cluster: templates that were made elsewhere, VMIDs and addresses from ranges. What cannot be
 * found is among its problems.
 *
 * @param reload reads the config again with that
 * @param past what the state says of earlier runs
 */
export async function resolveConfig<T extends LoadedConfig>(
  config: T,
  reload: (resolved: Resolved) => T,
  past: () => Past | Promise<Past>,
): Promise<{ config: T; resolved: Resolved }> {
  const { open, cluster, login } = config;
  if (!open || !cluster || !login) return { config, resolved: {} };
  // Only who leaves something to the cluster needs a client of its API in the program.
  const [{ clientOf }, { resolve }] = await Promise.all([import("../run/connect.ts"), import("./resolve.ts")]);
  const client = clientOf(connectionOf({ cluster, login }));
  const found = await resolve(client, { ...config, open }, await past()).catch((error: Error) => {
    if (error instanceof ProxmoxError) return unasked(open, error);
    throw error;
  });
  if (Array.isArray(found)) return { config: { ...config, problems: [...config.problems, ...found] }, resolved: {} };
  const { resolved, problems } = found;
  const whole = reload(resolved);
  return { config: { ...whole, problems: [...whole.problems, ...problems] }, resolved };
}
