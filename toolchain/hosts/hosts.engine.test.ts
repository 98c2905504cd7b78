import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { ensureToolchain, type Toolchain } from "../install.ts";
import { checkout } from "../paths.ts";
import { type PulumiResult, runPulumi } from "../pulumi.ts";

const buildMs = 30 * 60_000;
const folder = mkdtempSync(join(tmpdir(), "fixture-"));
let toolchain: Toolchain;

beforeAll(async () => {
  toolchain = await ensureToolchain({ log: console.log });
  cpSync(join(import.meta.dirname, "fixture"), folder, { recursive: true });
  cpSync(join(checkout.root, "package.json"), join(folder, "package.json"));
  symlinkSync(join(checkout.root, "node_modules"), join(folder, "node_modules"));
  mkdirSync(join(folder, "state"));
  expect(await pulumi("stack", "init", "test")).toMatchObject({ code: 0 });
}, buildMs);

function pulumi(...args: string[]): Promise<PulumiResult> {
  return runPulumi(toolchain, [...args, "--non-interactive"], {
    cwd: folder,
    env: { PULUMI_BACKEND_URL: `file://${join(folder, "state")}`, PULUMI_CONFIG_PASSPHRASE: "for a test" },
    onStdout: () => {},
  });
}

const up = (...args: string[]) => pulumi("up", "--yes", "--skip-preview", ...args);

describe("the hosts run a program through its whole life", () => {
  test("up: creates, runs the hook, shows what the program prints, and the outputs", async () => {
    const { code, stdout } = await up();
    expect(code, stdout).toBe(0);
    expect(stdout).toContain("hello from Node 24.");
    expect(stdout).toContain('id: "thing-one"');
    expect(stdout).toContain("secret config keys: []");
    expect(readFileSync(join(folder, "hook.log"), "utf8")).toBe("thing\n");
  });

  test("up, preview and refresh find nothing to do", async () => {
    expect(await up("--expect-no-changes")).toMatchObject({ code: 0 });
    expect(await pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes")).toMatchObject({ code: 0 });
    expect(await pulumi("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  });

  test("a changed trigger replaces", async () => {
    const { code, stdout } = await up("--config", "fixture:trigger=two");
    expect(code, stdout).toBe(0);
    expect(readFileSync(join(folder, "hook.log"), "utf8")).toBe("thing\nthing\n");
  });

  test("a program that fails is reported once, with its own words", async () => {
    const { code, stdout } = await pulumi("preview", "--config", "fixture:fail=true");
    expect(code).not.toBe(0);
    expect(stdout).toContain("the program fails as it was told to");
    expect(stdout).not.toContain("the program ended with");
  });

  test("about knows the language and the dependencies", async () => {
    const { code, stdout } = await runPulumi(toolchain, ["about", "--json"], {
      cwd: folder,
      env: { PULUMI_BACKEND_URL: `file://${join(folder, "state")}` },
      onStdout: () => {},
    });
    expect(code).toBe(0);
    const about = JSON.parse(stdout) as { runtime: { version: string }; dependencies: { name: string }[] };
    expect(about.runtime.version).toMatch(/^v24\./);
    expect(about.dependencies.map(({ name }) => name)).toContain("@pulumi/pulumi");
  });

  test("destroy", async () => {
    expect(await pulumi("destroy", "--yes", "--skip-preview")).toMatchObject({ code: 0 });
  });
});

test("the host of the dynamic providers is started for a program that has registered nothing yet", async () => {
  const startHost = join(checkout.root, "providers/dynamic/startHost.ts");
  writeFileSync(join(folder, "index.ts"), `import { startHost } from ${JSON.stringify(startHost)};\nstartHost();\n`);
  const { code, stdout } = await up();
  expect(code, stdout).toBe(0);
  expect(stdout).not.toMatch(/error|warning/i);
  // The engine keeps which hosts a program needs.
  const { stdout: state } = await pulumi("stack", "export");
  expect(state).toContain('"type": "pulumi:providers:pulumi-nodejs"');
});
