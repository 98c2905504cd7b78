import { expect, it } from "vitest";
import type { Toolchain } from "./install.ts";
import { runPulumi } from "./pulumi.ts";

it("what ends this process is passed on to the CLI, unless it runs apart", async () => {
  const toolchain = { pulumi: "/bin/true", env: {} } as unknown as Toolchain;
  const count = () => process.listenerCount("SIGTERM") + process.listenerCount("SIGHUP");
  const before = count();
  const quiet = { onStdout: () => undefined };
  const apart = runPulumi(toolchain, [], { ...quiet, apart: true });
  expect(count()).toBe(before);
  await apart;
  const along = runPulumi(toolchain, [], quiet);
  expect(count()).toBe(before + 2);
  await along;
  expect(count()).toBe(before);
});
