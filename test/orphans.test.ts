import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ensureToolchain } from "../toolchain/install.ts";
import { alive, type Process, until, upUntil } from "./kill.ts";
import { openProject, type Project } from "./project.ts";

const SLOW = 1;
const FAST = 0.02;

/** Pulumi's own launcher of the host of dynamic providers: a shell that waits for Node, and outlives the engine with it. */
const OFFICIAL_LAUNCHER = `#!/bin/sh
node "$(node -e "console.log(require.resolve('@pulumi/pulumi/cmd/dynamic-provider'))")" "$@"
`;

let project: Project;
beforeAll(async () => {
  project = await openProject();
});
afterAll(() => project?.close());

const running = (type: string) => async () =>
  (await project.lab.control.state()).running.some((upid) => upid.includes(`:${type}:`));

/** An `up` whose engine is killed while such a task runs; all of its processes end. */
async function killEngine(type: string): Promise<Process[]> {
  await project.lab.control.timeScale(SLOW);
  const family = await upUntil(project, running(type), "engine");
  try {
    await vi.waitFor(async () => expect(await alive(family)).toEqual([]), { timeout: 30_000, interval: 50 });
  } finally {
    for (const { pid } of await alive(family)) process.kill(pid, "SIGKILL");
  }
  await project.lab.control.timeScale(FAST);
  // PVE goes on with what it was asked for.
  await until(async () => (await project.lab.control.state()).running.length === 0);
  return family;
}

const commands = (family: readonly Process[]) => family.map(({ command }) => command).join("\n");

describe("when the engine is killed", () => {
  it("its plugin ends, even in the middle of a call", async () => {
    const family = await killEngine("qmcreate");
    expect(commands(family)).toContain("pulumi-resource-proxmoxve");
    expect(commands(family)).toContain("@pulumi/pulumi/cmd/run");
  });

  it("the host of the dynamic providers ends, whatever task it waits for", async () => {
    const family = await killEngine("qmclone");
    expect(commands(family)).toContain("dynamic.mjs");
  });

  it("so does the one that Pulumi's own launcher starts", async () => {
    const folder = join(project.dir, "bin");
    await mkdir(folder);
    await writeFile(join(folder, "pulumi-resource-pulumi-nodejs"), OFFICIAL_LAUNCHER, { mode: 0o755 });
    const { env } = await ensureToolchain();
    project.env.PATH = [folder, env.PATH].join(delimiter);
    project.env.GOLDEN_FLEET_ALLOW_DELETES = "3";
    await project.configure(({ cloneSets }) => {
      for (const clone of (cloneSets?.web && "clones" in cloneSets.web && cloneSets.web.clones) || [])
        clone.vmId = (clone.vmId ?? 0) + 10;
    });
    const family = await killEngine("qmclone");
    expect(commands(family)).toContain("@pulumi/pulumi/cmd/dynamic-provider");
    expect(commands(family)).not.toContain("dynamic.mjs");
  });

  it("the next run goes on", async () => {
    const run = await project.pulumi("up");
    expect(run.code, run.output).toBe(0);
    const again = await project.pulumi("preview", ["--expect-no-changes"]);
    expect(again.code, again.output).toBe(0);
  });
});
