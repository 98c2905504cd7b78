import "../../fastStart.mjs";
import "./endWithEngine.mjs";
import { flushCompileCache } from "node:module";
import { unchecked } from "../../fleet/part.ts";
import { isKnown } from "../run/commandLine.ts";
import type { ConfigReader, Handlers } from "./handlers.ts";
import { warner } from "./progress.ts";
import { migrated, stored } from "./states.ts";

// The SDK maps each stack trace back to the sources of a compiler, for which it reads the maps of all packages in it. These
// modules are their own sources.
Reflect.deleteProperty(Error, "prepareStackTrace");

type Values = Record<string, unknown>;
const PREFLIGHT = "preflight/provider.ts";

type AnyHandlers = Handlers<Values, Values>;

/** Where the engine keeps the provider's code among a resource's inputs and outputs. */
const CODE = "__provider";

const loaded = new Map<string, Promise<{ provider: AnyHandlers }>>();

function load(module: string): Promise<{ provider: AnyHandlers }> {
  const known = loaded.get(module);
  if (known) return known;
  const loading = import(`../${module}`).finally(() => setImmediate(flushCompileCache));
  loaded.set(module, loading);
  // Too many open files, for example, are not the whole run's.
  loading.catch(() => loaded.delete(module));
  return loading;
}

const withoutCode = ({ [CODE]: _, ...values }: Values): Values => values;

const lackingText = (lacking: readonly string[]) =>
  `it is left alone: ${lacking.join(" and ")} ${lacking.length === 1 ? "has" : "have"} never been made, and this run leaves ${lacking.length === 1 ? "that" : "them"} out. Take it into the run (--target, --exclude), or leave this out too`;

/** One method of a provider, with states of its own version, and neither with the provider's code. */
async function call(provider: AnyHandlers, config: ConfigReader, method: string, args: never[]): Promise<unknown> {
  const values = args as unknown[] as Values[];
  const inputs = withoutCode(values.at(-1) ?? {});
  // All methods but `check` and `create` get the id first, and then the state.
  const id = String(args[0]);
  const state = () => migrated(provider, withoutCode(values[1] ?? {}));
  const lacking = method === "create" || method === "update" ? (provider.missing?.(inputs) ?? []) : [];
  if (lacking.length > 0) throw new Error(lackingText(lacking));
  switch (method) {
    case "check":
      return provider.check?.(config, withoutCode(values[0] ?? {}), inputs);
    case "diff":
      return provider.diff(config, id, state(), inputs);
    case "create": {
      const made = await provider.create(config, inputs);
      return { ...made, outs: stored(provider, made.outs) };
    }
    case "update":
      return { outs: stored(provider, await provider.update(config, id, state(), inputs)) };
    case "read": {
      const found = await provider.read(config, id, state());
      // An empty id tells the engine that the resource is gone.
      return found ? { id, props: stored(provider, found.outs), inputs: found.inputs } : { id: "", props: {} };
    }
    default:
      return provider.delete(config, id, state());
  }
}

/** An error as the host is to pass it on: without its stack, which it would print, and with the state that it leaves. */
function passedOn(error: unknown, provider: AnyHandlers, inputs: Values | undefined): unknown {
  if (!(error instanceof Error)) return error;
  error.stack = "";
  const { state, id } = error as { state?: Values; id?: string };
  if (state === undefined) return error;
  const properties = { ...stored(provider, state), [CODE]: inputs?.[CODE] };
  return Object.assign(error, { id, properties, reasons: [error.message] });
}

/** Whether this run has had its preflight, or it has been said that it has none. */
let isSettled = false;

/**
 * Says once that something is made or changed without a preflight. The program says it beforehand, unless it cannot tell what
 * the run is about.
 */
function noteUnchecked(module: string, method: string): void {
  const changes = method === "create" || method === "update";
  if (isSettled || (module === PREFLIGHT ? method !== "check" : !changes)) return;
  isSettled = true;
  if (module !== PREFLIGHT && !isKnown()) warner("")(unchecked());
}

/** What `shell` calls, inside the dynamic-provider host: one method of one module, in the host's own terms. */
export async function run(module: string, config: ConfigReader, method: string, args: never[]): Promise<unknown> {
  const { provider } = await load(module);
  noteUnchecked(module, method);
  try {
    return await call(provider, config, method, args);
  } catch (error) {
    throw passedOn(error, provider, args.at(-1));
  }
}
