import type { Resolved } from "../../config/resolved.ts";
import { stackConfigOf } from "../../config/stack.ts";
import { resourceUrn } from "../../fleet/urns.ts";
import { type PreflightInputs, preflight } from "../../providers/preflight/provider.ts";
import { hasFailed, wholeReport } from "../../providers/preflight/report.ts";
import { resolveConfig } from "../../providers/resolve/resolveConfig.ts";
import type { PlainConfig, StoredResource } from "./cli.ts";
import { shortName } from "./stack.ts";
import { pastOf } from "./stored.ts";

export interface DoctorArgs {
  /** Folder of Pulumi.yaml. */
  root: string;
  project: string;
  stack: string;
  config: PlainConfig;
  /** The stack's state: what is there is known from it. */
  state: readonly StoredResource[];
}

/** What preflight remembers of earlier runs, but for what it would then not look at again. */
function memory(state: readonly StoredResource[], urn: string): Partial<PreflightInputs> {
  const { claims: _, ...remembered } = (state.find((one) => one.urn === urn)?.inputs ?? {}) as Partial<PreflightInputs>;
  return remembered;
}

/** Preflight alone, of all of the fleet, with everything that was looked at; changes nothing. */
export async function examine({
  root,
  project,
  stack,
  config,
  state,
}: DoctorArgs): Promise<{ report: string; ok: boolean }> {
  const scope = { project, stack: shortName(stack) };
  const statusUrn = resourceUrn(scope, "Preflight", "preflight");
  const load = (found?: Resolved) => stackConfigOf({ root, ...scope, ...config }, found);
  const { config: whole, resolved } = await resolveConfig(load(), load, () => pastOf(state));
  const { problems } = whole;
  const reader = { get: (key: string) => config.values[`${project}:${key}`] };
  const { results } = await preflight(reader, memory(state, statusUrn), { statusUrn, problems, resolved });
  return { report: wholeReport(results), ok: !hasFailed(results) };
}
