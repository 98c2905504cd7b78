import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

/** What a Node says that starts as the program does. */
function say(
  code: string,
  env: Record<string, string> = {},
  programArgs: string[] = [],
): { stdout: string; stderr: string } {
  const args = ["--import", "./fastStart.mjs", "--input-type=module", "-e", code, "--", ...programArgs];
  const options = { cwd: import.meta.dirname, encoding: "utf8", env: { ...process.env, ...env } } as const;
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { ...options, maxBuffer: 2 ** 26 });
  expect(status, stderr).toBe(0);
  return { stdout, stderr };
}

/** Code that says which of some packages have been loaded by `sdk`, a `require` as the SDK's main module has it. */
const loaded = (names: string[]) => `
  const files = Object.keys(sdk.cache);
  console.log(${JSON.stringify(names)}.filter((name) => files.some((file) => file.includes("/" + name + "/"))).join());`;

const withSdk = `
  import { createRequire } from "node:module";
  import * as pulumi from "@pulumi/pulumi";
  const sdk = createRequire(import.meta.resolve("@pulumi/pulumi"));`;

test("the SDK is loaded without what serialises functions, and without its Automation API", () => {
  const parts = ["@grpc/grpc-js", "typescript/lib", "pacote", "spdx-correct", "@pulumi/pulumi/automation/interface"];
  expect(say(`${withSdk}${loaded(parts)}`).stdout).toBe("@grpc/grpc-js\n");
});

test("the SDK's own serialisation of functions, which needs all that, still works", () => {
  const code = say(`
    import * as pulumi from "@pulumi/pulumi";
    import leven from "leven";
    const { text } = await pulumi.runtime.serializeFunction(() => leven("a", "b"));
    console.log(text.includes("leven"));
    const paths = await pulumi.runtime.computeCodePaths();
    console.log([...paths.keys()].some((path) => path.endsWith("node_modules/zod")));
  `);
  expect(code.stdout).toBe("true\ntrue\n");
});

test("the Automation API is there for who asks for it", () => {
  const { stdout } = say(`${withSdk}
    import * as module from "@pulumi/pulumi/automation/index.js";
    const { automation } = pulumi;
    console.log(typeof automation.LocalWorkspace.createStack, typeof module.LocalWorkspace.createStack);
    console.log("LocalWorkspace" in automation, Object.keys(automation).includes("LocalWorkspace"));`);
  expect(stdout).toBe("function function\ntrue true\n");
});

test("no debugger is attached to a program", () => {
  const { stdout } = say(`${withSdk}
    await sdk("@pulumi/pulumi/runtime/closure/v8Hooks").isInitializedAsync();
    console.log(process.moduleLoadList.includes("NativeModule inspector"));`);
  expect(stdout).toBe("false\n");
});

test.each([
  ["where nobody wants them, spans are made without OpenTelemetry's SDK", {}, [], ""],
  ["traces that the engine wants are sent", {}, ["--tracing=http://127.0.0.1:1"], "@opentelemetry/sdk-trace-node"],
  ["so are those of a trace that goes on", { TRACEPARENT: "00-1-2-01" }, [], "@opentelemetry/sdk-trace-node"],
])("%s", (_what, env, args, packages) => {
  const code = `${withSdk}
    sdk("@pulumi/pulumi/cmd/run/tracing").newSpan("program").end();
    ${loaded(["@opentelemetry/sdk-trace-node"])}`;
  expect(say(code, env, args).stdout).toBe(`${packages}\n`);
});

test("what has been compiled of the SDK is taken back from the cache, all of it", () => {
  const start = () => say('import "@pulumi/pulumi";', { NODE_DEBUG_NATIVE: "COMPILE_CACHE" });
  start();
  const second = start();
  expect(second.stderr).toMatch(/@pulumi\/pulumi\/runtime\/rpc\.js was accepted/);
  expect(second.stderr).not.toMatch(/was rejected/);
});
