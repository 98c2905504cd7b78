import type { dynamic } from "@pulumi/pulumi";

/**
 * The dynamic provider that hands every call to `providers/<file>`.
 *
 * The engine keeps this code in the state, twice for every resource, and runs it for `read` and `delete` whatever is on
 * disk by then: so it is thin and stays as it is. The work is done by the module, as it is on disk. Each method of a
 * provider would be another kilobyte of state for each resource: so `configure`, which the host calls before anything
 * else, puts the others in place.
 *
 * @param file path below `providers/`
 * @param options.checks whether that module checks its inputs
 */
export function shell(file: string, { checks = false } = {}): dynamic.ResourceProvider {
  const methods = ["diff", "create", "read", "update", "delete", ...(checks ? ["check"] : [])];
  const provider = {
    // Nothing is awaited: the host hands out the provider before an asynchronous configure ends. The module is found from
    // the program's folder: an absolute path would end up in the state.
    async configure(this: Record<string, unknown>, { config }: { config: unknown }) {
      for (const method of methods) {
        this[method] = async (...args: unknown[]) =>
          (await import(`file://${encodeURI(process.cwd())}/providers/host.ts`)).run(file, config, method, args);
      }
    },
  };
  return provider as unknown as dynamic.ResourceProvider;
}
