import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Lab, startLab } from "../../lab/lab.ts";
import type { Session } from "../contender.ts";

/**
 * A session in a new folder, on a lab of its own: `prepare` says what is done there. `close`, and a `prepare` that fails,
 * stop the lab and remove the folder.
 */
export async function openOnLab(
  prepare: (dir: string, lab: Lab) => Promise<Omit<Session, "lab" | "close">>,
): Promise<Session> {
  const dir = await mkdtemp(join(tmpdir(), "golden-fleet-bench-"));
  let lab: Lab | undefined;
  const close = async () => {
    await lab?.stop();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    lab = await startLab({ dir: join(dir, "lab") });
    return { ...(await prepare(dir, lab)), lab, close };
  } catch (error) {
    await close();
    throw error;
  }
}
