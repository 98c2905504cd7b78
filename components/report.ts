import * as pulumi from "@pulumi/pulumi";
import { type Fleet, sourcesIn } from "../config/fleet.ts";
import type { CloneSet } from "./cloneSet.ts";
import { withConsoles } from "./consoles.ts";
import { failedClones } from "./failedClones.ts";
import { ansibleInventory, type HostSet } from "./inventory.ts";
import { knownClones, knownTemplates, leftOutLines } from "./known.ts";
import { isConcerned, type RunPart } from "./runPart.ts";
import { settled } from "./settled.ts";
import { sshConfig } from "./sshConfig.ts";
import { summary } from "./summary.ts";
import type { VmTemplate } from "./vmTemplate.ts";

/** The exit code by which the engine knows that a program has failed and told why. */
const TOLD = 32;

/** Says at the end of an `up` what exists, what failed and what to do next; gives the stack's outputs. */
export function report(
  config: Fleet,
  sources: ReadonlyMap<string, VmTemplate>,
  sets: ReadonlyMap<string, CloneSet>,
  run: RunPart,
) {
  const { cluster, existing, cloneSets } = config;
  const configured = sourcesIn(config);
  const allTemplates = pulumi.output(
    Object.fromEntries(
      [...sources].map(([key, { vmId, nodeName, name, image, isTemplate, snippetIds, contentHash }]) => [
        key,
        {
          vmId: settled(vmId),
          nodeName: settled(nodeName),
          name: settled(name),
          image: settled(image),
          isTemplate: settled(isTemplate),
          snippetIds: settled(snippetIds).apply((ids) => ids ?? []),
          contentHash: settled(contentHash),
        },
      ]),
    ),
  );
  const made = pulumi.output(Object.fromEntries([...sets].map(([key, set]) => [key, set.clones])));
  const elsewhere = Object.fromEntries(
    Object.entries(existing).map(([key, { vmId, node, name, existing }]) => [
      key,
      { vmId, nodeName: node, name, isTemplate: true, contentHash: existing.content, existing: true as const },
    ]),
  );
  const templates = allTemplates.apply((all) => ({ ...knownTemplates(all, config, run), ...elsewhere }));
  const clones = made.apply((all) => knownClones(all, config, run));
  const userOf = (key: string) =>
    cloneSets[key]?.cloudInit?.user ?? configured[cloneSets[key]?.template ?? ""]?.cloudInit.user;
  const usersOf = (key: string) =>
    new Map(
      cloneSets[key]?.clones.flatMap(({ vmId, cloudInit = [] }): [number, string][] => {
        const own = cloudInit.findLast(({ user }) => user !== undefined)?.user;
        return own === undefined || own === userOf(key) ? [] : [[vmId, own]];
      }),
    );

  pulumi.all([templates, clones, made]).apply(([existing, byKey, touched]) => {
    if (pulumi.runtime.isDryRun()) return;
    pulumi.log.info(
      summary(
        Object.values(existing),
        byKey,
        (key, vmId) => usersOf(key).get(vmId) ?? userOf(key),
        cluster.endpoint,
        leftOutLines(config, run),
      ),
    );
    const strict = Object.entries(cloneSets).filter(([, { onError }]) => onError === "fail");
    const failed = failedClones(
      strict.flatMap(([key, set]) =>
        (touched[key] ?? []).filter(({ vmId }) => isConcerned(run, key, set, vmId, config)),
      ),
    );
    if (!failed) return;
    // Logged, not thrown: whatever else there is belongs into the state and the outputs.
    pulumi.log.error(failed);
    // To the engine a logged error is a text; the exit code is what fails the run. Any sooner, clones that are not in the
    // config any more would not be deleted.
    process.once("exit", () => {
      process.exitCode = TOLD;
    });
  });

  const hosts = clones.apply((byKey) =>
    Object.fromEntries(
      Object.entries(byKey).map(([key, made]): [string, HostSet] => {
        const user = userOf(key);
        return [key, { clones: made, users: usersOf(key), ...(user && { user }) }];
      }),
    ),
  );
  return {
    templates,
    clones: clones.apply((byKey) => withConsoles(cluster.endpoint, byKey)),
    ansibleInventory: hosts.apply(ansibleInventory),
    sshConfig: hosts.apply(sshConfig),
  };
}
