import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

/** What a Node says that starts as the program does. */
function say(code: string, env: Record<string, string> = {}): { stdout: string; stderr: string } {
  const args = ["--import", "./fastStart.mjs", "--input-type=module", "-e", code];
  const options = { cwd: import.meta.dirname, encoding: "utf8", env: { ...process.env, ...env } } as const;
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { ...options, maxBuffer: 2 ** 26 });
  expect(status, stderr).toBe(0);
  return { stdout, stderr };
}

test("the SDK is loaded without npm's dependency resolver", () => {
  const loaded = say(`
    import { createRequire } from "node:module";
    import "@pulumi/pulumi";
    const files = Object.keys(createRequire(import.meta.resolve("@pulumi/pulumi")).cache);
    console.log(files.some((file) => file.includes("/@pulumi/pulumi/")), files.some((file) => file.includes("/pacote/")));
  `);
  expect(loaded.stdout).toBe("true false\n");
});

test("the SDK's own serialisation of functions, which needs the resolver, still works", () => {
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

test("what has been compiled of the SDK is taken back from the cache, all of it", () => {
  const start = () => say('import "@pulumi/pulumi";', { NODE_DEBUG_NATIVE: "COMPILE_CACHE" });
  start();
  const second = start();
  expect(second.stderr).toMatch(/@pulumi\/pulumi\/runtime\/rpc\.js was accepted/);
  expect(second.stderr).not.toMatch(/was rejected/);
});
