import type { Problem } from "../config/problem.ts";
import type { Open, Resolved } from "../config/resolved.ts";
import { loadStackConfig, type StackConfig } from "../config/stack.ts";
import { resolve } from "../providers/resolve/resolve.ts";
import { clientOf } from "../providers/run/connect.ts";
import { connectionOf } from "../providers/run/connection.ts";
import { readBefore } from "./before.ts";

/** What is said where the cluster could not be asked; why, preflight says. */
function unasked({ existing, sets }: Open, { message }: Error): Problem[] {
  const places = [...Object.values(existing), ...Object.values(sets)].map(({ path }) => path);
  const [reason = ""] = message.split("\n", 1);
  return places.map((path) => ({ path, message: `this could not be looked up on the cluster: ${reason}` }));
}

/** The stack config with what it leaves to the cluster: templates that were made elsewhere, VMIDs and addresses from ranges. */
export async function resolveConfig(config: StackConfig): Promise<{ config: StackConfig; resolved: Resolved }> {
  const { open, cluster, login } = config;
  if (!open || !cluster || !login) return { config, resolved: {} };
  try {
    const before = Object.keys(open.sets).length > 0 ? (await readBefore()).chosen : {};
    const { resolved, problems } = await resolve(
      clientOf(connectionOf({ cluster, login })),
      { ...config, open },
      before,
    );
    const whole = loadStackConfig(resolved);
    return { config: { ...whole, problems: [...whole.problems, ...problems] }, resolved };
  } catch (error) {
    return { config: { ...config, problems: [...config.problems, ...unasked(open, error as Error)] }, resolved: {} };
  }
}
