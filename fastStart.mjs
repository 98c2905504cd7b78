// Loaded before Pulumi's SDK, by the program (Pulumi.yaml, nodeargs) and by the host of dynamic providers: the SDK is most
// of what a run with little to do waits for. What each step gives is in docs/performance.md. This is JavaScript because
// Node would load a compiler for TypeScript, which it does not need once what it made is in the cache.

import "./nodeVersion.mjs";
import module from "node:module";
import { join } from "node:path";
import v8 from "node:v8";

// Named imports that an old Node lacks would keep all of this from being loaded, and nodeVersion.mjs from saying so.
const { createRequire, enableCompileCache, Module } = module;

// What has been compiled once is not compiled again. V8 takes compiled code back only under the flags that it was kept
// under, and the SDK sets this one while it loads; so it is set before.
v8.setFlagsFromString("--allow-natives-syntax");
enableCompileCache(join(import.meta.dirname, "node_modules/.cache/compile"));

// The rest of this file keeps parts of the SDK from being loaded that nobody may ask for. What is loaded by them is most of
// the SDK: TypeScript and npm's dependency resolver serialise closures, and nothing here is one (decision 0013).
const sdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
for (const part of ["./typescript-shim", "@npmcli/arborist", "normalize-package-data", "./automation"]) {
  later(part);
}
// To know scripts by their ids, for closures, too, the SDK attaches a debugger to the program.
later("./runtime/closure/v8Hooks", { isInitializedAsync: async () => {} });
// Nobody wants traces unless the engine says where to.
if (!process.env.TRACEPARENT && !process.argv.some((argument) => argument.startsWith("--tracing"))) {
  later("./cmd/run/tracing", { newSpan: (name) => sdk("@opentelemetry/api").trace.getTracer("").startSpan(name) });
}

/**
 * Has a module loaded when somebody asks for something in it.
 *
 * @param {string} request as the SDK's main module would write it
 * @param {Record<string, unknown>} known what needs no module
 */
function later(request, known = {}) {
  const file = fileOf(request);
  if (!file || sdk.cache[file]) return;
  const standIn = Object.assign(new Module(file), { filename: file, loaded: true });
  const load = () => {
    if (sdk.cache[file] === standIn) delete sdk.cache[file];
    return sdk(file);
  };
  standIn.exports = new Proxy(known, {
    get(_, key) {
      // What is not an ES module is copied, and so asked for, at once.
      if (key === "__esModule") return true;
      if (Object.hasOwn(known, key)) return known[key];
      const loaded = load();
      return key === "default" && !loaded.__esModule ? loaded : loaded[key];
    },
    has: (_, key) => key in load(),
    ownKeys: () => Reflect.ownKeys(load()),
    getOwnPropertyDescriptor(_, key) {
      const loaded = load();
      if (!Object.hasOwn(loaded, key)) return undefined;
      // What a stand-in does not have itself must not be said to be fixed.
      return { value: loaded[key], enumerable: true, configurable: true, writable: true };
    },
  });
  sdk.cache[file] = standIn;
}

/**
 * @param {string} request
 * @returns its file; undefined: another version of the SDK does without it
 */
function fileOf(request) {
  try {
    return sdk.resolve(request);
  } catch {
    return undefined;
  }
}
