import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Lab, startLab } from "../../lab/lab.ts";
import type { Session } from "../contender.ts";
import { failedClones } from "../failed.ts";

/** Judges the clones of a lab. */
export const clonesOf =
  (lab: Lab): Session["failedClones"] =>
  async (phase, clones) =>
    failedClones(await lab.control.vms(), phase, clones);

/** Unless it says otherwise, its clones are judged by what the lab has. */
type Prepared = Omit<Session, "lab" | "close" | "failedClones"> & Partial<Pick<Session, "failedClones">>;

/**
 * A session in a new folder, on a lab of its own: `prepare` says what is done there. `close`, and a `prepare` that fails,
 * stop the lab and remove the folder.
 */
export async function openOnLab(prepare: (dir: string, lab: Lab) => Promise<Prepared>): Promise<Session> {
  const dir = await mkdtemp(join(tmpdir(), "golden-fleet-bench-"));
  let lab: Lab | undefined;
  const close = async () => {
    await lab?.stop();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    lab = await startLab({ dir: join(dir, "lab") });
    return { failedClones: clonesOf(lab), ...(await prepare(dir, lab)), lab, close };
  } catch (error) {
    await close();
    throw error;
  }
}
