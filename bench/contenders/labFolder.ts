import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Lab, startLab } from "../../lab/lab.ts";

/** A new folder with a lab of its own; `close` stops the lab and removes the folder. */
export async function openLab(): Promise<{ dir: string; lab: Lab; close(): Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), "golden-fleet-bench-"));
  const lab = await startLab({ dir: join(dir, "lab") });
  return {
    dir,
    lab,
    async close() {
      await lab.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
