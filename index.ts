import * as pulumi from "@pulumi/pulumi";
import { CloneSet, type Source } from "./components/cloneSet.ts";
import { failedClones } from "./components/failedClones.ts";
import { ansibleInventory, type HostSet } from "./components/inventory.ts";
import { proxmoxProvider } from "./components/login.ts";
import { sshConfig } from "./components/sshConfig.ts";
import { statusUrn } from "./components/statusUrn.ts";
import { summary } from "./components/summary.ts";
import { VmTemplate } from "./components/vmTemplate.ts";
import { isComplete } from "./config/load.ts";
import { ConfigError } from "./config/problem.ts";
import { replicasOf } from "./config/replicas.ts";
import { loadStackConfig } from "./config/stack.ts";
import { connectionOf } from "./providers/connect.ts";
import { Preflight } from "./providers/preflight/resource.ts";
import { PveClient } from "./proxmox/client.ts";

export default async () => {
  const config = loadStackConfig();

  // Everything else waits for preflight: if it finds a problem, in the config or in the cluster, nothing is changed.
  const preflight = new Preflight("preflight", {
    statusUrn: statusUrn("Preflight", "preflight"),
    problems: config.problems,
  });
  if (!isComplete(config)) {
    // Preflight has failed with all of it. Should it ever not, this must be an error too: to the engine, a program that
    // ends well without resources means that all of them are to be deleted.
    await new Promise((resolve) => preflight.urn.apply(resolve));
    throw new ConfigError(config.problems, "Nothing was changed.");
  }

  const { cluster, login } = config;
  const stack = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const fleet = { cluster, stack, fleetId: preflight.fleetId };
  const client = new PveClient(connectionOf(config));
  const options = { provider: proxmoxProvider(cluster, login, { dependsOn: preflight }), dependsOn: preflight };

  const sources = new Map(
    Object.entries(config.templates).map(([key, template]) => [
      key,
      new VmTemplate(key, { fleet, template, client }, options),
    ]),
  );
  const sets = Object.entries(config.cloneSets).flatMap(([key, set]) => {
    const [first, ...more] = Object.values(replicasOf(config.templates, set.template)).flatMap((replica): Source[] => {
      const [template, resource] = [config.templates[replica], sources.get(replica)];
      return template && resource ? [{ node: template.node, template, resource }] : [];
    });
    return first ? [[key, new CloneSet(key, { fleet, set, sources: [first, ...more] }, options)] as const] : [];
  });

  const templates = pulumi.output(
    Object.fromEntries(
      [...sources].map(([key, { vmId, nodeName, name, image, isTemplate, snippetIds, contentHash }]) => [
        key,
        { vmId, nodeName, name, image, isTemplate, snippetIds, contentHash },
      ]),
    ),
  );
  const clones = pulumi.output(Object.fromEntries(sets.map(([key, set]) => [key, set.clones])));
  const user = Object.values(config.templates).find(({ cloudInit }) => cloudInit.user)?.cloudInit.user ?? "";
  pulumi.all([templates, clones]).apply(([made, byKey]) => {
    if (pulumi.runtime.isDryRun()) return;
    pulumi.log.info(summary(Object.values(made), byKey, user));
    const strict = Object.keys(byKey).filter((key) => config.cloneSets[key]?.onError === "fail");
    const failed = failedClones(strict.flatMap((key) => byKey[key] ?? []));
    // Logged, not thrown: whatever else there is belongs into the state and the outputs.
    if (failed) pulumi.log.error(failed);
  });
  const hosts = clones.apply((byKey) =>
    Object.fromEntries(
      Object.entries(byKey).map(([key, made]): [string, HostSet] => {
        const { user: login } = config.templates[config.cloneSets[key]?.template ?? ""]?.cloudInit ?? {};
        return [key, { clones: made, ...(login && { user: login }) }];
      }),
    ),
  );
  return {
    templates,
    clones,
    ansibleInventory: hosts.apply(ansibleInventory),
    sshConfig: hosts.apply(sshConfig),
  };
};
