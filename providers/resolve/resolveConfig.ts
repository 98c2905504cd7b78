import type { LoadedConfig } from "../../config/load.ts";
import type { Problem } from "../../config/problem.ts";
import type { Choices, Open, Resolved } from "../../config/resolved.ts";
import { clientOf } from "../run/connect.ts";
import { connectionOf } from "../run/connection.ts";
import { resolve } from "./resolve.ts";

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
 * @param before what clones were given from ranges in earlier runs
 */
export async function resolveConfig<T extends LoadedConfig>(
  config: T,
  reload: (resolved: Resolved) => T,
  before: () => Choices | Promise<Choices>,
): Promise<{ config: T; resolved: Resolved }> {
  const { open, cluster, login } = config;
  if (!open || !cluster || !login) return { config, resolved: {} };
  try {
    const had = Object.keys(open.sets).length > 0 ? await before() : {};
    const client = clientOf(connectionOf({ cluster, login }));
    const { resolved, problems } = await resolve(client, { ...config, open }, had);
    const whole = reload(resolved);
    return { config: { ...whole, problems: [...whole.problems, ...problems] }, resolved };
  } catch (error) {
    return { config: { ...config, problems: [...config.problems, ...unasked(open, error as Error)] }, resolved: {} };
  }
}
