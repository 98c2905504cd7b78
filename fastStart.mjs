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

// The SDK loads npm's dependency resolver to serialise closures. Nothing here is one (decision 0013), so it is loaded when
// somebody asks for it.
const sdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
const resolver = fileOf("@npmcli/arborist");
if (resolver && !sdk.cache[resolver]) {
  const later = Object.assign(new Module(resolver), { filename: resolver, loaded: true });
  later.exports = {
    // What is not an ES module is copied, and so asked for, at once.
    __esModule: true,
    get Arborist() {
      if (sdk.cache[resolver] === later) delete sdk.cache[resolver];
      return sdk(resolver).Arborist;
    },
  };
  sdk.cache[resolver] = later;
}

/**
 * @param {string} module
 * @returns its file; undefined: another version of the SDK does without it
 */
function fileOf(module) {
  try {
    return sdk.resolve(module);
  } catch {
    return undefined;
  }
}
