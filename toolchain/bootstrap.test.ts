import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";

const manifest = { name: "project", version: "1.0.0", lockfileVersion: 3 };
let project: string;

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "project-"));
  mkdirSync(join(project, "toolchain"));
  for (const file of ["bootstrap.mjs", "lock.mjs"]) {
    cpSync(join(import.meta.dirname, file), join(project, "toolchain", file));
  }
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(project, "package-lock.json"), JSON.stringify({ ...manifest, packages: { "": manifest } }));
  writeFileSync(
    join(project, "script.ts"),
    `const args: string[] = process.argv.slice(2);
     console.log(JSON.stringify(args));
     if (args[0] === "wait") {
       process.on("SIGTERM", () => process.exit(7));
       setTimeout(() => {}, 60_000);
     } else process.exitCode = Number(args[0] ?? 0);`,
  );
});

function start(...args: string[]) {
  const child = spawn(process.execPath, [join(project, "toolchain", "bootstrap.mjs"), "script.ts", ...args]);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    output.stderr += chunk;
  });
  const ended = once(child, "close").then(([code]: unknown[]) => ({ code, ...output }));
  return { child, output, ended };
}

const run = (...args: string[]) => start(...args).ended;

test("installs once, runs the script with its arguments, and ends with its code", async () => {
  const first = await run("3", "--flag", "two words");
  expect(first).toMatchObject({ code: 3, stdout: '["3","--flag","two words"]\n' });
  expect(first.stderr).toContain("npm ci: installing");
  expect(await run("0")).toEqual({ code: 0, stdout: '["0"]\n', stderr: "" });

  rmSync(join(project, "node_modules"), { recursive: true });
  expect((await run()).stderr).toContain("npm ci: installing");

  writeFileSync(join(project, "package-lock.json"), `${readFileSync(join(project, "package-lock.json"), "utf8")}\n`);
  expect((await run()).stderr).toContain("npm ci: installing");
});

test("two at once install once", async () => {
  const both = await Promise.all([run(), run()]);
  expect(both.map(({ code }) => code)).toEqual([0, 0]);
  const installs = both.filter(({ stderr }) => stderr.includes("npm ci: installing"));
  expect(installs).toHaveLength(1);
  expect(existsSync(join(project, ".toolchain", "npm.lock"))).toBe(false);
});

test("a failed install shows what npm said, and does not count", async () => {
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ ...manifest, dependencies: { missing: "file:./nowhere" } }),
  );
  const { code, stderr } = await run();
  expect(code).toBe(1);
  expect(stderr).toContain("npm error");
  expect(stderr).toContain("npm ci failed");
  expect((await run()).code).toBe(1);
});

test("SIGTERM reaches the script, and its answer counts", async () => {
  const { child, output, ended } = start("wait");
  await expect.poll(() => output.stdout).toContain("wait");
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ code: 7 });
});

test("Ctrl-C in a terminal is left to the script", async () => {
  const { child, output, ended } = start("wait");
  await expect.poll(() => output.stdout).toContain("wait");
  child.kill("SIGINT"); // as the terminal does to every process of the group; the script here was spared
  child.kill("SIGTERM");
  expect(await ended).toMatchObject({ code: 7 });
});

test("an old Node is told in one line, before anything is installed", () => {
  const older = 'data:text/javascript,Object.defineProperty(process.versions, "node", { value: "18.20.8" })';
  const bootstrap = join(project, "toolchain", "bootstrap.mjs");
  const { status, stderr } = spawnSync(process.execPath, ["--import", older, bootstrap, "script.ts"], {
    encoding: "utf8",
  });
  expect(status).toBe(1);
  expect(stderr).toBe("Node 18.20.8 is too old: this project needs Node 20 or newer (see https://nodejs.org).\n");
  expect(existsSync(join(project, "node_modules"))).toBe(false);
});
