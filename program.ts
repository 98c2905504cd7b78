import { setImmediate as turn } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { readBefore } from "./components/before.ts";
import { CloneSet, sourcesOf } from "./components/cloneSet.ts";
import { CloneSnippets, cloneBoots } from "./components/cloneSnippets.ts";
import { hideAnswers } from "./components/debugLog.ts";
import { foretell } from "./components/foretell.ts";
import { proxmoxProvider } from "./components/login.ts";
import { report } from "./components/report.ts";
import { leftOutError, lostNote, missingParts, runPart } from "./components/runPart.ts";
import { statusUrn } from "./components/statusUrn.ts";
import { VmTemplate } from "./components/vmTemplate.ts";
import { isComplete } from "./config/load.ts";
import { ConfigError } from "./config/problem.ts";
import { loadStackConfig } from "./config/stack.ts";
import { unchecked } from "./fleet/part.ts";
import { Preflight } from "./providers/preflight/resource.ts";
import { resolveConfig } from "./providers/resolve/resolveConfig.ts";
import { connectionOf } from "./providers/run/connection.ts";

// Pulumi maps the stack trace of every resource back to the sources of a compiler; this program is its own source.
Reflect.deleteProperty(Error, "prepareStackTrace");
hideAnswers();

export async function program() {
  const { config, resolved } = await resolveConfig(
    loadStackConfig(),
    loadStackConfig,
    async () => (await readBefore()).past,
  );
  const run = await runPart(config);
  const { part, before } = run;
  const problems = [...config.problems, ...missingParts(config, run)];

  // Everything else waits for preflight: if it finds a problem, in the config or in the cluster, nothing is changed.
  const preflight = new Preflight("preflight", {
    statusUrn: statusUrn("Preflight", "preflight"),
    problems,
    resolved,
  });
  if (!isComplete(config) || problems.length > 0) {
    // Preflight has failed with all of it. Should it ever not, this must be an error too: to the engine, a program that
    // ends well without resources means that all of them are to be deleted.
    await new Promise((resolve) => preflight.urn.apply(resolve));
    throw isComplete(config) ? leftOutError(problems) : new ConfigError(problems, "Nothing was changed.");
  }

  if (!part.hasPreflight) pulumi.log.warn(unchecked(part));
  const lost = lostNote(config, run);
  if (lost) pulumi.log.warn(lost);

  // The rest keeps Node busy, seconds long for a thousand clones. A few turns are enough for preflight to be on its way, so
  // that it asks the cluster meanwhile.
  for (let turns = 0; turns < 10; turns++) await turn();

  const { cluster, login } = config;
  const stack = `${pulumi.getOrganization()}/${pulumi.getProject()}/${pulumi.getStack()}`;
  const { fleetId, templateNames } = preflight;
  const fleet = { cluster, stack, fleetId, templateNames, secrets: config.secrets };
  const connection = connectionOf(config);
  const options = { provider: proxmoxProvider(cluster, login, { dependsOn: preflight }), dependsOn: preflight };

  const templates = new Map(
    Object.entries(config.templates).map(([key, template]) => {
      const { vmId } = template;
      const stays = !part.hasTemplateVm(key, vmId) && { stays: { content: before.contentOf(vmId) } };
      return [key, new VmTemplate(key, { fleet, template, connection, ...stays }, options)];
    }),
  );
  const boots = cloneBoots(config);
  const snippets = [...boots.values()].some((boot) => boot.snippets.length > 0)
    ? new CloneSnippets("clones", config, boots, fleet, options)
    : undefined;
  const sets = new Map(
    Object.entries(config.cloneSets).map(([key, set]) => {
      const on = sourcesOf(set.template, config, templates);
      const there = set.keep && { there: new Set(before.clones.map(({ info }) => info.vmId)) };
      return [key, new CloneSet(key, { fleet, set, sources: on, boots, snippets, ...there }, options)];
    }),
  );

  foretell(preflight, config, templates, sets, run);
  return report(config, templates, sets, run);
}
