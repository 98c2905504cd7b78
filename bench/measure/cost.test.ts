import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { type Cost, costOf } from "./cost.ts";

const node = (script: string): Promise<Cost> =>
  costOf({ file: process.execPath, args: ["-e", script], cwd: import.meta.dirname, env: { GREETING: "hello" } });

/** Keeps a CPU busy for so many seconds of its own time, with so much memory in use. */
const burn = (seconds: number, mebibytes = 1) => `
  const memory = Buffer.alloc(${mebibytes} * 2 ** 20, 1);
  while (process.cpuUsage().user + process.cpuUsage().system < ${seconds} * 1e6);`;

test("output, environment and exit code are the command's", async () => {
  const cost = await node("console.log(process.env.GREETING); console.error('bye'); process.exit(3)");
  expect(cost.code).toBe(3);
  expect(cost.output).toContain("hello");
  expect(cost.output).toContain("bye");
});

test("a child's CPU time and memory count, even if its parent does not wait for it", async () => {
  const child = JSON.stringify(burn(1, 200));
  const { cpuSeconds, peakMemoryBytes } = await node(
    `require("child_process").spawn(process.execPath, ["-e", ${child}], { detached: true, stdio: "inherit" }).unref()`,
  );
  expect(cpuSeconds).toBeGreaterThan(1);
  expect(peakMemoryBytes).toBeGreaterThan(200 * 2 ** 20);
});

test("a command that cannot be started is an error", async () => {
  await expect(costOf({ file: "/no/such/program", args: [], cwd: "/", env: {} })).rejects.toThrow("/no/such/program");
});

test("a command that is to be stopped is stopped, and one that comes after is not started", async () => {
  const stop = new AbortController();
  const folder = await mkdtemp(join(tmpdir(), "golden-fleet-cost-test-"));
  const mark = join(folder, "started");
  const command = (script: string) => ({
    file: process.execPath,
    args: ["-e", script],
    cwd: folder,
    env: { MARK: mark },
  });
  const write = `require("fs").writeFileSync(process.env.MARK, "");`;
  const cost = costOf(command(`${write} setInterval(() => {}, 1000)`), stop.signal);
  await vi.waitUntil(() => existsSync(mark), { timeout: 30_000 });
  stop.abort();
  await expect(cost).rejects.toThrow("aborted");
  await rm(mark);
  await expect(costOf(command(write), stop.signal)).rejects.toThrow("aborted");
  expect(existsSync(mark)).toBe(false);
  await rm(folder, { recursive: true });
});
