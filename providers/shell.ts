import type { dynamic } from "@pulumi/pulumi";

interface Configured {
  config?: unknown;
}

/**
 * The dynamic provider that hands every call to `providers/<module>`.
 *
 * The engine keeps this code in the state, twice for every resource, and runs it for `read` and `delete` whatever is on
 * disk by then: so it is thin and stays as it is. The work is done by the module, as it is on disk.
 *
 * @param module path below `providers/`
 * @param options.checks whether the module checks its inputs
 */
export function shell(module: string, options: { checks?: boolean } = {}): dynamic.ResourceProvider {
  // The module is found from the program's folder: an absolute path would end up in the state.
  const run = async (self: unknown, method: string, args: unknown[]) =>
    (await import(`file://${encodeURI(process.cwd())}/providers/host.ts`)).run(
      module,
      (self as Configured).config,
      method,
      args,
    );
  // `this`, not a variable: every function is serialised with its own copy of the variables around it.
  const provider = {
    // Nothing is awaited: the host hands out the provider before an asynchronous configure ends.
    async configure(this: Configured, r: { config: unknown }) {
      this.config = r.config;
    },
    diff(...a: unknown[]) {
      return run(this, "diff", a);
    },
    create(...a: unknown[]) {
      return run(this, "create", a);
    },
    read(...a: unknown[]) {
      return run(this, "read", a);
    },
    update(...a: unknown[]) {
      return run(this, "update", a);
    },
    delete(...a: unknown[]) {
      return run(this, "delete", a);
    },
  };
  if (!options.checks) return provider;
  return {
    ...provider,
    check(...a: unknown[]) {
      return run(this, "check", a);
    },
  };
}
