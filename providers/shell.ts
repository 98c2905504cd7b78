import type { dynamic } from "@pulumi/pulumi";

/** Reads one value of the stack config; what the engine gives to `configure`. */
export type ConfigReader = Pick<dynamic.Config, "get">;

/**
 * What a provider's module exports as `provider`. Every method gets the stack config first.
 *
 * The engine keeps the code of a dynamic provider in the state, and runs that code for `read` and `delete`. So what is
 * serialised is `shell` below, thin and stable; the work is done by the module as it is on disk.
 */
export interface Handlers<Inputs, State extends Inputs> {
  /** Completes or refuses inputs; also runs at preview. */
  check?(config: ConfigReader, olds: Partial<Inputs>, news: Inputs): Promise<dynamic.CheckResult<Inputs>>;
  diff(config: ConfigReader, id: string, olds: State, news: Inputs): Promise<dynamic.DiffResult>;
  create(config: ConfigReader, inputs: Inputs): Promise<{ id: string; outs: State }>;
  /** undefined: it is gone. */
  read(config: ConfigReader, id: string, state: State): Promise<{ outs: State; inputs?: Inputs } | undefined>;
  update(config: ConfigReader, id: string, olds: State, news: Inputs): Promise<State>;
  delete(config: ConfigReader, id: string, state: State): Promise<void>;
}

/** The dynamic provider that hands every call to `providers/<module>`; `module` is a path below `providers/`. */
export function shell(module: string): dynamic.ResourceProvider {
  let config: ConfigReader = { get: () => undefined };
  // From the program's folder, never from an absolute path: that would end up in the state.
  const load = async () => (await import(`file://${encodeURI(process.cwd())}/providers/${module}`)).provider;
  return {
    // Nothing is awaited: the host hands out the provider before an asynchronous configure ends.
    configure: async (request) => {
      config = request.config;
    },
    check: async (olds, news) => {
      const provider = await load();
      return provider.check ? provider.check(config, olds, news) : { inputs: news };
    },
    diff: async (id, olds, news) => (await load()).diff(config, id, olds, news),
    create: async (inputs) => (await load()).create(config, inputs),
    read: async (id, state) => {
      const found = await (await load()).read(config, id, state);
      return found ? { id, props: found.outs, inputs: found.inputs } : { id: "", props: {} };
    },
    update: async (id, olds, news) => ({ outs: await (await load()).update(config, id, olds, news) }),
    delete: async (id, state) => (await load()).delete(config, id, state),
  };
}
