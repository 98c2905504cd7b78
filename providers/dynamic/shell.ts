/**
 * The code of a dynamic provider that hands every call to `providers/<file>`.
 *
 * The engine keeps this text in the state, twice for every resource, and runs it for `read` and `delete` whatever is on disk
 * by then: so it is short and stays as it is. The work is done by the module, as it is on disk.
 *
 * @param file path below `providers/`
 * @param options.checks whether that module checks its inputs
 */
export function shell(file: string, { checks = false } = {}): string {
  const methods = ["diff", "create", "read", "update", "delete", ...(checks ? ["check"] : [])];
  // `configure` is what the host calls first. Nothing is awaited in it: the host hands out the provider before an
  // asynchronous one ends. The module is found from the program's folder: an absolute path would end up in the state. Node
  // makes the URL, which may have to hold `#`, `?` and a drive letter.
  return `exports.handler = () => ({
  configure({ config }) {
    const host = require("node:url").pathToFileURL("providers/host.ts").href;
    for (const method of ${JSON.stringify(methods)}) this[method] = async (...args) =>
      (await import(host)).run(${JSON.stringify(file)}, config, method, args);
  },
});
`;
}
