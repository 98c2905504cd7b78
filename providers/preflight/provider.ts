import { createHash, randomBytes } from "node:crypto";
import type { TemplateFacts } from "../../config/existing.ts";
import type { Fleet } from "../../config/fleet.ts";
import type { Problem } from "../../config/problem.ts";
import type { Choices, Resolved } from "../../config/resolved.ts";
import { addressedOf } from "../../config/rules/addresses.ts";
import { macsOf } from "../../config/rules/macs.ts";
import { Part } from "../../fleet/part.ts";
import type { TemplateNames } from "../../fleet/templateNames.ts";
import { scopeOf } from "../../fleet/urns.ts";
import { changedKeys } from "../dynamic/diff.ts";
import type { ConfigReader, Handlers } from "../dynamic/handlers.ts";
import { messagesOf } from "../dynamic/progress.ts";
import { selection } from "../run/commandLine.ts";
import { readStackConfig, runOf } from "../run/connect.ts";
import { checksFor } from "./checks/index.ts";
import { choices } from "./choices.ts";
import { mappingUses } from "./deviceNeeds.ts";
import { clusterFacts, type SetMemory } from "./facts.ts";
import { firstKeys } from "./firstKeys.ts";
import { memoryOf } from "./memory.ts";
import { failureReport, hasFailed, remarks, summaryText } from "./report.ts";
import { configResults, type Result, runChecks } from "./run.ts";
import { sshTargetOf } from "./sshTarget.ts";
import { workOf } from "./work.ts";

/** The program gives `statusUrn` and `problems`; the rest is filled in by `check`. */
export interface PreflightInputs {
  /** URN under which messages are shown. */
  statusUrn: string;
  /** What the program found wrong in the stack config. With any, `check` fails, so they never reach the state. */
  problems?: Problem[];
  /** What the config leaves to the cluster, as the program has found it; never in the state. */
  resolved?: Resolved;
  /** What clones were given from the ranges of their sets. */
  chosen?: Choices;
  /** Templates that were made elsewhere, as they were found last. */
  existing?: Record<string, TemplateFacts>;
  /** Random identity of this stack's state, chosen once and kept for ever. */
  fleetId?: string;
  /** The VMIDs of the config that were found to be free or ours. */
  vmIds?: number[];
  /** The clone sets of the config, by key. */
  sets?: Record<string, SetMemory>;
  /** Hash of the addresses and devices of the config that were found to be free. */
  claims?: string;
  templateNames?: TemplateNames;
}

export interface PreflightState extends PreflightInputs {
  fleetId: string;
}

/** The addresses and devices of the config, and MAC addresses, which other guests may have too. */
function claimsOf(fleet: Fleet): string {
  const addresses = addressedOf(fleet).flatMap(({ ip, ip6 }) => [ip, ip6].filter((one) => one?.includes("/")));
  const devices = mappingUses(fleet).map(({ node, mapping, path }) => `${node} ${mapping} ${path}`);
  const macs = macsOf(fleet).map(({ mac }) => mac);
  return createHash("sha256")
    .update(JSON.stringify([addresses, devices, ...(macs.length > 0 ? [macs] : [])]))
    .digest("hex")
    .slice(0, 12);
}

/** Runs every check; `inputs` are what is remembered if none has failed. */
export async function preflight(
  config: ConfigReader,
  olds: Partial<PreflightInputs>,
  news: PreflightInputs,
): Promise<{ inputs: PreflightInputs; results: Result[] }> {
  const { resolved, ...wanted } = news;
  const loaded = readStackConfig(config, resolved);
  const { cluster, login, templates, existing, cloneSets, leftOut } = loaded;
  const fleetId = olds.fleetId ?? randomBytes(4).toString("hex");
  // The program sees more (keys that do not exist, secrets in plain text), and only it knows which values not to show.
  const offline = configResults({ ...loaded, problems: news.problems ?? loaded.problems });
  if (!cluster || !login) return { inputs: { ...wanted, fleetId }, results: offline };
  const whole: Fleet = { cluster, templates, existing, cloneSets, leftOut };
  const part = new Part(scopeOf(news.statusUrn), selection());
  const work = workOf(whole, part);
  const claims = claimsOf(workOf(whole, new Part(scopeOf(news.statusUrn))));
  const run = runOf(config);
  if (resolved) run.resolved = resolved;
  const { client } = run;
  const names = await firstKeys(client, whole, olds);
  const templateNames = part.isWhole ? names : { ...olds.templateNames, ...names };
  const facts = clusterFacts(
    client,
    {
      fleet: work,
      whole,
      part,
      login,
      fleetId,
      knownVmIds: new Set(olds.vmIds),
      knownSets: olds.sets ?? {},
      ...(loaded.allowDeletes !== undefined && { allowDeletes: loaded.allowDeletes }),
      templateNames,
      claimsUnchanged: olds.claims === claims,
    },
    sshTargetOf,
  );
  return {
    inputs: {
      ...wanted,
      fleetId,
      ...(resolved?.chosen && { chosen: resolved.chosen }),
      ...(resolved?.existing && { existing: resolved.existing }),
      ...memoryOf(olds, { whole, work, part }),
      // Those that the run is not about have not been looked at.
      ...(part.isWhole ? { claims } : olds.claims !== undefined && { claims: olds.claims }),
      templateNames,
    },
    results: [...(await runChecks(checksFor(loaded.problems), facts)), ...offline],
  };
}

/** Looks at everything that can be looked at before something is changed, at preview as at up; changes nothing itself. */
export const provider: Handlers<PreflightInputs, PreflightState> = {
  stateVersion: 1,

  async check(config, olds, news) {
    const { report, warn, info } = messagesOf(news.statusUrn);
    report("looking at the config and the cluster");
    const { inputs, results } = await preflight(config, olds, news);
    if (hasFailed(results)) return { inputs, failures: [{ property: "", reason: failureReport(results) }] };
    const { warnings, notes } = remarks(results);
    for (const warning of warnings) warn(warning);
    for (const note of [...choices(olds.chosen, inputs.chosen), ...notes]) info(note);
    report(summaryText(results));
    return { inputs };
  },

  async diff(_config, _id, olds, news) {
    const changed = changedKeys<PreflightInputs>(olds, news, [
      "fleetId",
      "vmIds",
      "sets",
      "claims",
      "templateNames",
      "chosen",
      "existing",
    ]);
    return { changes: changed.length > 0, replaces: [] };
  },

  async create(_config, inputs) {
    const { fleetId = "" } = inputs;
    return { id: fleetId, outs: { ...inputs, fleetId } };
  },

  async read(_config, _id, state) {
    return { outs: state };
  },

  async update(_config, _id, olds, news) {
    return { ...news, fleetId: olds.fleetId };
  },

  // It made nothing.
  async delete() {},
};
