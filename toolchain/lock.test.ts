import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withLock } from "./lock.mjs";

const lockPath = () => join(mkdtempSync(join(tmpdir(), "lock-")), "a", "lock");
const library = JSON.stringify(join(import.meta.dirname, "lock.mjs"));

function node(program: string) {
  return spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
}

test("is released afterwards, also after a failure", async () => {
  const path = lockPath();
  expect(await withLock(path, () => 1)).toBe(1);
  await expect(withLock(path, () => Promise.reject(new Error("oh")))).rejects.toThrow("oh");
  expect(existsSync(path)).toBe(false);
});

test("processes take turns", async () => {
  const path = lockPath();
  const log = `${path}.log`;
  const program = `
    import { appendFileSync } from "node:fs";
    import { withLock } from ${library};
    await withLock(${JSON.stringify(path)}, async () => {
      appendFileSync(${JSON.stringify(log)}, "in ");
      await new Promise((resolve) => setTimeout(resolve, 30));
      appendFileSync(${JSON.stringify(log)}, "out ");
    }, { pollMs: 5 });`;
  await withLock(path, () => Promise.all([])); // makes the folder
  await Promise.all(Array.from({ length: 6 }, () => once(node(program), "close")));
  expect(readFileSync(log, "utf8")).toBe("in out ".repeat(6));
});

test("the lock of a killed owner is taken over by exactly one of those who wait", async () => {
  const path = lockPath();
  const owner = node(`
    import { withLock } from ${library};
    await withLock(${JSON.stringify(path)}, async () => {
      console.log("mine");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`);
  await once(owner.stdout, "data");
  const owners: number[] = [];
  let inside = 0;
  const waiting = Array.from({ length: 5 }, () =>
    withLock(
      path,
      async () => {
        inside += 1;
        expect(inside).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 10));
        inside -= 1;
      },
      { pollMs: 5, onWait: (pid) => owners.push(pid) },
    ),
  );
  await expect.poll(() => owners.length).toBe(5);
  owner.kill("SIGKILL");
  await Promise.all(waiting);
  expect(owners).toContain(owner.pid);
  expect(existsSync(path)).toBe(false);
});

test.runIf(process.platform === "linux")("a process that got the pid of a dead owner is not the owner", async () => {
  const path = lockPath();
  await withLock(path, () => undefined); // makes the folder
  writeFileSync(path, `${process.pid} 1`);
  expect(await withLock(path, () => "mine")).toBe("mine");
});

test("the lock of a process that is long gone does not block", async () => {
  const path = lockPath();
  await withLock(path, () => undefined);
  const gone = spawnSync("true").pid;
  writeFileSync(path, `${gone}`);
  expect(await withLock(path, () => "mine")).toBe("mine");
});

test("waiting can be ended", async () => {
  const path = lockPath();
  await withLock(path, async () => {
    const waiting = withLock(path, () => "never", {
      pollMs: 5,
      onTick: () => {
        throw new Error("enough");
      },
    });
    await expect(waiting).rejects.toThrow("enough");
  });
});
