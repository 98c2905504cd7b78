import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeFolder } from "./build.ts";

const place = () => {
  const store = mkdtempSync(join(tmpdir(), "store-"));
  return { target: join(store, "deep", "thing"), workshop: join(store, "unfinished") };
};

const content = (target: string) => readFileSync(join(target, "file"), "utf8");

test("a folder appears when it is complete, and the workshop is gone", async () => {
  const { target, workshop } = place();
  await makeFolder(target, workshop, async (folder) => {
    writeFileSync(join(folder, "file"), "new");
    expect(existsSync(target)).toBe(false);
  });
  expect(content(target)).toBe("new");
  expect(existsSync(workshop)).toBe(false);
});

test("a failure leaves the old folder as it was", async () => {
  const { target, workshop } = place();
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, "file"), "old");
  const attempt = makeFolder(target, workshop, async (folder) => {
    writeFileSync(join(folder, "file"), "half");
    throw new Error("no space left");
  });
  await expect(attempt).rejects.toThrow("no space left");
  expect(content(target)).toBe("old");
});

test("a killed build counts for nothing, and the next one succeeds", async () => {
  const { target, workshop } = place();
  const program = `
    import { writeFileSync } from "node:fs";
    import { makeFolder } from ${JSON.stringify(join(import.meta.dirname, "build.ts"))};
    await makeFolder(${JSON.stringify(target)}, ${JSON.stringify(workshop)}, async (folder) => {
      writeFileSync(folder + "/file", "half");
      console.log("working");
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "close");
  expect(existsSync(target)).toBe(false);
  expect(existsSync(workshop)).toBe(true);

  await makeFolder(target, workshop, async (folder) => writeFileSync(join(folder, "file"), "whole"));
  expect(content(target)).toBe("whole");
  expect(existsSync(workshop)).toBe(false);
});
