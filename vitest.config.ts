import { defineConfig } from "vitest/config";
import { ClosingLine } from "./test/closingLine.ts";

const slow = ["test/**/*.test.ts", "**/*.engine.test.ts"];
const never = ["**/node_modules/**", ".toolchain/**", ".lab/**"];

export default defineConfig({
  test: {
    // The tests of a run print what they do; what a run does takes long enough to want to know.
    disableConsoleIntercept: true,
    reporters: ["default", new ClosingLine()],
    // The engine and its plugins keep two cores busy, and tests that kill a run at a moment must not miss it.
    maxWorkers: 1,
    // These end a test that hangs, and measure nothing: a busy machine takes its time.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      { extends: true, test: { name: "unit", include: ["**/*.test.ts"], exclude: [...slow, ...never] } },
      {
        extends: true,
        // Whole runs with the real engine, the real plugin and the lab.
        test: { name: "whole", include: slow, exclude: never, testTimeout: 600_000, hookTimeout: 600_000 },
      },
    ],
  },
});
