import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkGo, requiredGo } from "./go.ts";

const modules = [module("1.25.11"), module("1.26.0")];

function module(goVersion: string): string {
  const folder = mkdtempSync(join(tmpdir(), "module-"));
  writeFileSync(join(folder, "go.mod"), `module example\n\ngo ${goVersion}\n`);
  return folder;
}

/** An environment in which `go` answers as given. */
function goThatPrints(output: string, code = 0): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), "go-"));
  writeFileSync(join(folder, "go"), `#!/bin/sh\nprintf '${output}'\nexit ${code}\n`);
  chmodSync(join(folder, "go"), 0o755);
  return { PATH: folder };
}

test("the needed Go is read from go.mod", () => {
  expect(requiredGo(module("1.26.0"))).toBe("1.26.0");
});

test("no Go at all: says what was looked for, what is needed and how to get it", async () => {
  const attempt = checkGo(modules, undefined, { PATH: "/nowhere" });
  await expect(attempt).rejects.toThrow('"go" was not found on PATH (/nowhere)');
  await expect(attempt).rejects.toThrow("Go 1.26.0 or newer");
  await expect(attempt).rejects.toThrow("apt-get install");
  await expect(attempt).rejects.toThrow("brew install go");
  await expect(attempt).rejects.toThrow("https://www.pulumi.com/docs/install");
});

test("a Go that is too old and may not fetch a newer one", async () => {
  await expect(checkGo(modules, undefined, goThatPrints("go1.24.1\\nlocal\\n"))).rejects.toThrow(
    "go1.24.1, with GOTOOLCHAIN=local",
  );
});

test("a Go from before toolchains", async () => {
  await expect(checkGo(modules, undefined, goThatPrints("go1.19.8\\n\\n"))).rejects.toThrow('"go" on PATH is go1.19.8');
});

test("a Go that does not work", async () => {
  await expect(checkGo(modules, undefined, goThatPrints("oh no", 2))).rejects.toThrow(
    '"go env GOVERSION" failed: oh no',
  );
});

test("new enough, or able to become so", async () => {
  await checkGo(modules, undefined, goThatPrints("go1.26.8\\nlocal\\n"));
  await checkGo(modules, undefined, goThatPrints("go1.24.1\\nauto\\n"));
});
