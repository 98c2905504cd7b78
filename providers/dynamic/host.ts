import "../../fastStart.mjs";
import "./endWithEngine.mjs";
import { flushCompileCache } from "node:module";
import type { ConfigReader, Handlers } from "./handlers.ts";

// The SDK maps each stack trace back to the sources of a compiler, for which it reads the maps of all packages in it. These
// modules are their own sources.
Reflect.deleteProperty(Error, "prepareStackTrace");

type Values = Record<string, unknown>;
type AnyHandlers = Handlers<Values, Values>;

/** An error without its stack: the host prints a failed delete with it, and users read that. */
function plain(error: unknown): unknown {
  if (error instanceof Error) error.stack = "";
  return error;
}

const loaded = new Map<string, Promise<{ provider: AnyHandlers }>>();

function load(module: string): Promise<{ provider: AnyHandlers }> {
  const known = loaded.get(module) ?? import(`../${module}`).finally(() => setImmediate(flushCompileCache));
  loaded.set(module, known);
  return known;
}

/** What `shell` calls, inside the dynamic-provider host: one method of one module, in the host's own terms. */
export async function run(
  module: string,
  config: ConfigReader,
  method: keyof AnyHandlers,
  args: never[],
): Promise<unknown> {
  const { provider } = await load(module);
  try {
    const handler = provider[method] as (config: ConfigReader, ...args: never[]) => Promise<Values | undefined>;
    const result = await handler.call(provider, config, ...args);
    if (method === "update") return { outs: result };
    if (method !== "read") return result;
    // An empty id tells the engine that the resource is gone.
    return result ? { id: args[0], props: result.outs, inputs: result.inputs } : { id: "", props: {} };
  } catch (error) {
    throw plain(error);
  }
}
