import { stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openProject } from "../../test/project.ts";
import { ensureToolchain } from "../../toolchain/install.ts";
import type { Contender } from "../contender.ts";
import { addressOf, firstVmId, gateway, prefixLength, templateVmId } from "../fleet.ts";
import type { Command } from "../measure/cost.ts";
import { clonesOf } from "./labFolder.ts";

/** One pass, as `tofu apply` is one: without this, `pulumi up` runs the program twice. */
const ONE_PASS = ["--yes", "--skip-preview"];

/** The state is written once, at the end, not at every step. */
const SKIP_CHECKPOINTS = { PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" };

interface Variant {
  /** Added to the CLI's environment. */
  more?: Record<string, string>;
  /** For `up` and `preview`. */
  flags?: readonly string[];
  /** Nodes of the lab: each has a datastore and a replica of the template, and the clones are spread over them. */
  nodes?: string[];
}

/** This program as a user runs it: `pulumi up` in the project's folder, state in a file. */
const program = (name: string, { more = {}, flags = [], nodes }: Variant = {}): Contender => ({
  name,
  // The toolchain is found or built when the bench starts.
  available: () => undefined,
  async open() {
    const toolchain = await ensureToolchain();
    const project = await openProject("project", nodes ? { nodes } : {});
    const env = { ...toolchain.env, ...project.env, ...more };
    const pulumi = (...args: string[]): Command => ({
      file: toolchain.pulumi,
      args: [...args, "--non-interactive"],
      cwd: project.dir,
      env,
    });
    return {
      lab: project.lab,
      want: (clones) =>
        project.configure((config) => {
          const noble = config.templates?.noble;
          if (noble) Object.assign(noble, { vmId: templateVmId, ...(nodes && { nodes }) });
          config.cloneSets = {
            web: {
              template: "noble",
              count: clones,
              namePattern: "web-{n}",
              firstVmId,
              ipRange: `${addressOf(1)}-${addressOf(clones)}/${prefixLength}`,
              gateway,
              // Guests are stopped, as the others stop them.
              shutdownSeconds: 0,
            },
          };
        }),
      command(phase) {
        if (phase === "preview") return pulumi("preview", ...flags);
        return phase === "destroy" ? pulumi("destroy", ...ONE_PASS) : pulumi("up", ...ONE_PASS, ...flags);
      },
      async stateBytes() {
        const backend = fileURLToPath(env.PULUMI_BACKEND_URL ?? "");
        return (await stat(join(backend, ".pulumi/stacks/proxmox-golden-fleet/test.json"))).size;
      },
      failedClones: clonesOf(project.lab),
      close: () => project.close(),
    };
  },
});

export const ours = program("ours");

/** Looks at every VM each time, as OpenTofu does. */
export const oursRefreshed = program("ours-refresh", { flags: ["--refresh"] });

/** The way out for large fleets where the state is in a file (docs/performance.md). */
export const oursAtOnce = program("ours-skip-checkpoints", { more: SKIP_CHECKPOINTS });

/** Four datastores, four locks. */
export const oursOnFourNodes = program("ours-four-nodes", { nodes: ["pve1", "pve2", "pve3", "pve4"] });
