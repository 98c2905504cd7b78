// Machines without Pulumi and without Go: what is published is downloaded, from a server on loopback that has releases as
// GitHub has them.

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { closedPort, publish, serveFolder, type TestServer } from "../test/releaseServer.ts";
import { ensureToolchain } from "./install.ts";
import { onPath } from "./installed.ts";
import { checkout, type Paths, pathsOf } from "./paths.ts";
import { runPulumi } from "./pulumi.ts";
import { engineRelease, pluginRelease, releasesVariable } from "./releases.ts";
import { pinnedVersions } from "./versions.ts";

const buildMs = 30 * 60_000;
const versions = pinnedVersions();
const releases = mkdtempSync(join(tmpdir(), "releases-"));
/** PATH of a machine with neither Pulumi nor Go. */
const bin = mkdtempSync(join(tmpdir(), "bin-"));
for (const name of ["sh", "dirname", "tar", "gzip"]) symlinkSync(onPath(name) ?? name, join(bin, name));
let server: TestServer;
let paths: Paths;
let lines: string[];

beforeAll(async () => {
  const built = await ensureToolchain({ log: console.log });
  const folder = join(built.pulumi, "..");
  server = await serveFolder(releases);
  vi.stubEnv(releasesVariable, server.url);
  const engine = engineRelease(versions.engine);
  const plugin = pluginRelease(versions.proxmoxve);
  const place = ({ url }: { url: string }) => join(releases, url.slice(server.url.length));
  const names = ["pulumi", "pulumi-language-nodejs", "pulumi-resource-pulumi-nodejs"];
  publish(place(engine), engine, Object.fromEntries(names.map((name) => [name, join(folder, name)])), "pulumi");
  const executable = "pulumi-resource-proxmoxve";
  const of = join(checkout.home, "plugins", `resource-proxmoxve-v${versions.proxmoxve}`, executable);
  publish(place(plugin), plugin, { [executable]: of });
}, buildMs);

afterAll(() => server?.stop());

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "checkout-"));
  for (const name of ["toolchain", "node_modules", "package.json", "fastStart.mjs", "nodeVersion.mjs"]) {
    symlinkSync(join(checkout.root, name), join(root, name));
  }
  paths = pathsOf(root);
  lines = [];
  server.asked.length = 0;
  vi.stubEnv(releasesVariable, server.url);
  vi.stubEnv("PATH", bin);
});

afterEach(() => vi.unstubAllEnvs());

const ensure = () => ensureToolchain({ paths, log: (line) => lines.push(line) });

test("CLI and plugin are downloaded once, with their size, and run a program with a dynamic provider", async () => {
  const toolchain = await ensure();
  expect(toolchain).toMatchObject({ version: versions.engine, origin: "downloaded" });
  expect(lines[1]).toMatch(/^downloading Pulumi's CLI \S+ \(\d+ MB\) from http/);
  expect(lines.at(-1)).toMatch(/^the proxmoxve plugin \S+: downloaded and verified/);
  const { length } = lines;
  expect(await ensure()).toEqual(toolchain);
  expect(server.asked).toHaveLength(4);
  expect(lines).toHaveLength(length);

  const program = join(paths.root, "fixture");
  cpSync(join(checkout.sources, "hosts", "fixture"), program, { recursive: true });
  cpSync(join(checkout.root, "package.json"), join(program, "package.json"));
  mkdirSync(join(program, "state"));
  const pulumi = (...args: string[]) =>
    runPulumi(toolchain, [...args, "--non-interactive"], {
      cwd: program,
      env: { PULUMI_BACKEND_URL: `file://${join(program, "state")}`, PULUMI_CONFIG_PASSPHRASE: "for a test" },
      onStdout: () => {},
    });
  expect(await pulumi("stack", "init", "test")).toMatchObject({ code: 0 });
  const up = await pulumi("up", "--yes", "--skip-preview");
  expect(up.code, up.stdout).toBe(0);
  expect(up.stdout).toContain('id: "thing-one"');
  const { stdout } = await pulumi("plugin", "ls");
  expect(stdout).toMatch(new RegExp(`proxmoxve +resource +${versions.proxmoxve}`));
  expect(await pulumi("destroy", "--yes", "--skip-preview")).toMatchObject({ code: 0 });
});

test("without an answer and without Go, one message says why, and what can be done", async () => {
  const port = await closedPort();
  vi.stubEnv(releasesVariable, `http://127.0.0.1:${port}`);
  const message = await ensure().then(
    () => "",
    (error: Error) => error.message,
  );
  expect(message).toContain(`connect ECONNREFUSED 127.0.0.1:${port}`);
  expect(message).toContain('"go" was not found on PATH');
  expect(message).toContain("https://www.pulumi.com/docs/install");
  expect(message).toContain(releasesVariable);
  expect(readdirSync(paths.store)).toEqual(["home"]);
});

test("without an answer and with Go, it is built", async () => {
  vi.stubEnv(releasesVariable, `http://127.0.0.1:${await closedPort()}`);
  const withGo = mkdtempSync(join(tmpdir(), "go-"));
  const go = join(withGo, "go");
  writeFileSync(go, '#!/bin/sh\ntest "$1" = env && echo go1.99.0 || { echo "this Go builds nothing" >&2; exit 1; }\n');
  chmodSync(go, 0o755);
  vi.stubEnv("PATH", withGo);
  await expect(ensure()).rejects.toThrow(/^building Pulumi's CLI (.|\n)*this Go builds nothing$/);
  expect(lines.slice(1)).toEqual([
    expect.stringContaining("cannot be downloaded"),
    expect.stringMatching(/^building it from Go modules/),
  ]);
  expect(readdirSync(paths.store)).toEqual(["home"]);
});

test("an archive that is not the published one is not used, and Go is the way that is left", async () => {
  const list = new URL(`${engineRelease(versions.engine).url}/${engineRelease(versions.engine).checksums}`).pathname;
  const other = mkdtempSync(join(tmpdir(), "other-"));
  cpSync(releases, other, { recursive: true });
  writeFileSync(join(other, list), `${"0".repeat(64)}  ${engineRelease(versions.engine).archive}\n`);
  const tampered = await serveFolder(other);
  vi.stubEnv(releasesVariable, tampered.url);
  await expect(ensure()).rejects.toThrow(/is not what was published(.|\n)*"go" was not found/);
  expect(readdirSync(paths.store)).toEqual(["home"]);
  await tampered.stop();
});

test("a plugin that is not to be had is left to the engine", async () => {
  const other = mkdtempSync(join(tmpdir(), "other-"));
  cpSync(join(releases, "pulumi"), join(other, "pulumi"), { recursive: true });
  const half = await serveFolder(other);
  vi.stubEnv(releasesVariable, half.url);
  const { env, origin } = await ensure();
  expect(origin).toBe("downloaded");
  expect(lines.at(-1)).toContain("fetch the plugin itself");
  expect(env).not.toHaveProperty("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION");
  const folder = join(paths.home, "plugins", `resource-proxmoxve-v${versions.proxmoxve}`);
  expect(existsSync(folder)).toBe(false);
  await half.stop();

  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "pulumi-resource-proxmoxve"), "what the engine fetched");
  const { length } = lines;
  expect((await ensure()).env).toHaveProperty("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION");
  expect(lines).toHaveLength(length);
});
