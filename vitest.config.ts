import { defineConfig } from "vitest/config";
import { ClosingLine } from "./test/closingLine.ts";

const lab = ["test/**/*.lab.test.ts"];
const killed = ["test/clones-crash.test.ts", "test/crash.test.ts", "test/orphans.test.ts"];
const slow = ["test/**/*.test.ts", "**/*.engine.test.ts"];
const never = ["**/node_modules/**", ".toolchain/**", ".lab/**"];
const patient = { testTimeout: 600_000, hookTimeout: 600_000 };

export default defineConfig({
  test: {
    // The tests of a run print what they do; what a run does takes long enough to want to know.
    disableConsoleIntercept: true,
    reporters: ["default", new ClosingLine()],
    // These end a test that hangs, and measure nothing: a busy machine takes its time.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    // One project after the other.
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...slow, ...never],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Against the lab, without the engine: they wait for the lab's tasks most of the time.
        test: { name: "lab", include: lab, exclude: never, maxWorkers: 4, sequence: { groupOrder: 1 }, ...patient },
      },
      {
        extends: true,
        // Whole runs with the real engine, the real plugin and the lab: each keeps one core busy.
        test: {
          name: "whole",
          include: slow,
          exclude: [...lab, ...killed, ...never],
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
          ...patient,
        },
      },
      {
        extends: true,
        // Runs that are killed at a moment, which must not be missed.
        test: {
          name: "killed",
          include: killed,
          exclude: never,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
          ...patient,
        },
      },
    ],
  },
});
