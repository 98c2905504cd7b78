import { cp, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { ensureToolchain } from "../../toolchain/install.ts";
import { checkout } from "../../toolchain/paths.ts";
import { runPulumi } from "../../toolchain/pulumi.ts";
import type { Contender } from "../contender.ts";
import type { Command } from "../measure/cost.ts";
import { openOnLab } from "./labFolder.ts";

/** What `ours` has in its state beside the clones: preflight, image, a snippet, and the conversion of the template. */
const BESIDE_CLONES = 4;
const STACK = "test";

interface Checkpoint {
  checkpoint: { latest: { resources?: { type: string }[] } | null };
}

/**
 * What Pulumi itself takes for a program with as many resources, none of which does anything: the same engine and the same
 * host of dynamic providers, Pulumi's SDK in the program as it is published, state in a file. It asks the lab for nothing.
 */
export const pulumiFloor: Contender = {
  name: "pulumi-floor",
  available: () => undefined,
  open: () =>
    openOnLab(async (dir) => {
      const toolchain = await ensureToolchain();
      const program = join(dir, "program");
      await cp(join(import.meta.dirname, "floor"), program, { recursive: true });
      await symlink(join(checkout.root, "node_modules"), join(program, "node_modules"));
      const state = join(dir, "state");
      await mkdir(state);
      const env = {
        ...toolchain.env,
        HOME: dir,
        PULUMI_BACKEND_URL: `${pathToFileURL(state).href}?metadata=skip`,
        PULUMI_CONFIG_PASSPHRASE: "lab",
      };
      const pulumi = (...args: string[]): Command => ({
        file: toolchain.pulumi,
        args: [...args, "--stack", STACK, "--non-interactive"],
        cwd: program,
        env,
      });
      const quiet = { cwd: program, env, onStdout: () => undefined, onStderr: () => undefined };
      const init = await runPulumi(toolchain, ["stack", "init", STACK], quiet);
      if (init.code !== 0) throw new Error(init.stderr);
      const settings = join(program, `Pulumi.${STACK}.yaml`);
      const salt = await readFile(settings, "utf8");
      const checkpoint = join(state, `.pulumi/stacks/floor/${STACK}.json`);
      return {
        want: (clones) =>
          writeFile(settings, `${salt}${stringify({ config: { "floor:resources": clones + BESIDE_CLONES } })}`),
        command(phase) {
          if (phase === "preview") return pulumi("preview");
          return pulumi(phase === "destroy" ? "destroy" : "up", "--yes", "--skip-preview");
        },
        async failedClones(phase, clones) {
          const { latest } = (JSON.parse(await readFile(checkpoint, "utf8")) as Checkpoint).checkpoint;
          const there = (latest?.resources ?? []).filter(({ type }) => type.startsWith("pulumi-nodejs:dynamic")).length;
          return phase === "destroy" ? there : clones + BESIDE_CLONES - there;
        },
        stateBytes: async () => (await stat(checkpoint)).size,
      };
    }),
};
