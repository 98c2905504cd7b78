import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../toolchain/command.ts";
import { shell } from "./shell.ts";

/** Stores the code as the engine does and runs it as the host does; by itself, because the test runner rewrites modules. */
const STORE_AND_RUN = `
  import { writeFileSync } from "node:fs";
  import { createRequire } from "node:module";
  import { fakeClone, fakeState } from "./providers/clone/fakeClone.ts";
  import { shell } from "./providers/dynamic/shell.ts";

  const text = shell("clone/provider.ts");
  const file = process.argv[1] + "/stored.cjs";
  writeFileSync(file, text);
  const stored = createRequire(file)(file).handler();
  const config = { cluster: JSON.stringify({ endpoint: "https://pve1.example.net:8006", node: "pve1" }), apiToken: "golden@pve!fleet=1b2c3d4e" };
  stored.configure({ config: { get: (key) => config[key] } });
  const clone = fakeClone();
  const state = { stateVersion: 2, ...fakeState() };
  const same = await stored.diff("9101", state, clone);
  const other = await stored.diff("9101", state, { ...clone, name: "db-1" });
  console.log(JSON.stringify({ text, same: same.changes, other: other.changes }));
`;

/** Has the host run a module that is not there, and then is. */
const LOAD_TWICE = `
  import { writeFileSync } from "node:fs";
  import { relative } from "node:path";
  import { run } from "./providers/dynamic/host.ts";

  const file = process.argv[1] + "/late.ts";
  const read = () => run(relative("providers", file), {}, "read", ["9101", {}]);
  const first = await read().catch(({ code }) => code);
  writeFileSync(file, "export const provider = { stateVersion: 1, read: async () => ({ outs: {} }) }");
  console.log(JSON.stringify({ first, second: (await read()).id }));
`;

it("a module that could not be loaded is loaded by the next call", async () => {
  const folder = mkdtempSync(join(tmpdir(), "golden-fleet-late-"));
  const args = ["--input-type=module", "--eval", LOAD_TWICE, folder];
  const run = await runCommand(process.execPath, args, { cwd: join(import.meta.dirname, "../..") });
  rmSync(folder, { recursive: true });
  expect(run.code, run.stderr).toBe(0);
  expect(JSON.parse(run.stdout)).toEqual({ first: "ERR_MODULE_NOT_FOUND", second: "9101" });
});

describe("the code that is stored with every resource", () => {
  const folder = mkdtempSync(join(tmpdir(), "golden-fleet-shell-"));
  let stored: { text: string; same: boolean; other: boolean };
  beforeAll(async () => {
    const args = ["--input-type=module", "--eval", STORE_AND_RUN, folder];
    const run = await runCommand(process.execPath, args, { cwd: join(import.meta.dirname, "../..") });
    expect(run.code, run.stderr).toBe(0);
    stored = JSON.parse(run.stdout) as typeof stored;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is small: it is in the state twice for each resource", () => {
    expect(stored.text.length).toBeLessThan(400);
  });

  it("holds no path of this machine", () => {
    expect(stored.text).not.toContain(process.cwd());
  });

  it("runs the module as it is on disk, and does not wait for its configuration to end", () => {
    expect(stored).toMatchObject({ same: false, other: true });
  });
});

it("a module without a check is not asked for one", () => {
  expect(shell("image/provider.ts")).not.toContain("check");
  expect(shell("clone/provider.ts", { checks: true })).toContain('"check"');
});
