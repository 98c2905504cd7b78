import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const run = promisify(execFile);

/** A tool's own words are the best failure message. */
const outcome = (command: string, args: string[]) =>
  run(command, args).then(
    () => "clean",
    (error: { stdout?: string; stderr?: string; message: string }) => `${error.stdout}${error.stderr}` || error.message,
  );

describe("the checkout", () => {
  it("type-checks", async () => {
    expect(await outcome("tsc", ["--pretty", "false"])).toBe("clean");
  });

  it("has no lint findings", async () => {
    expect(await outcome("biome", ["check", "--error-on-warnings"])).toBe("clean");
  });
});
