import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { ensureToolchain, toolchainVariable } from "./install.ts";
import { findPulumi } from "./installed.ts";
import { checkout } from "./paths.ts";
import { plainProgress } from "./progress.ts";

const home = mkdtempSync(join(tmpdir(), "home-"));

/** Puts a `pulumi` first on PATH that answers as given, and gives its path. */
function installPulumi(answer: string): string {
  const folder = mkdtempSync(join(tmpdir(), "pulumi-"));
  const file = join(folder, "pulumi");
  writeFileSync(file, `#!/bin/sh\n${answer}\n`);
  chmodSync(file, 0o755);
  vi.stubEnv("PATH", `${folder}${delimiter}/usr/bin${delimiter}/bin`);
  return file;
}

async function find() {
  const lines: string[] = [];
  const found = await findPulumi(
    "3.253.0",
    home,
    plainProgress((line) => lines.push(line)),
  );
  return { found, lines };
}

afterEach(() => vi.unstubAllEnvs());

test("a CLI that is new enough is used", async () => {
  const pulumi = installPulumi("echo v3.260.1");
  expect(await find()).toEqual({ found: { pulumi, version: "3.260.1" }, lines: [] });
});

test("one that is too old is not, and the user is told why", async () => {
  const pulumi = installPulumi("echo v3.100.0");
  expect(await find()).toEqual({
    found: undefined,
    lines: [`${pulumi} is version 3.100.0, and 3.253.0 or newer is needed: not used`],
  });
});

test("asking for the version does not touch the user's own PULUMI_HOME", async () => {
  installPulumi(`test "$PULUMI_HOME" = "${home}" && echo v3.253.0`);
  expect((await find()).found?.version).toBe("3.253.0");
});

test("no CLI at all", async () => {
  vi.stubEnv("PATH", "/nowhere");
  expect(await find()).toEqual({ found: undefined, lines: [] });
});

test("the user's CLI works with the PULUMI_HOME of the checkout, and may fetch plugins", async () => {
  const pulumi = installPulumi("echo v3.260.1");
  vi.stubEnv(toolchainVariable, undefined);
  const toolchain = await ensureToolchain({ log: () => {} });
  expect(toolchain).toMatchObject({ pulumi, version: "3.260.1", origin: "path" });
  expect(toolchain.env.PULUMI_HOME).toBe(checkout.home);
  expect(toolchain.env).not.toHaveProperty("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION");
});
