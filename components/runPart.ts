import * as pulumi from "@pulumi/pulumi";
import { type CloneSet, type Fleet, sourcesIn } from "../config/fleet.ts";
import type { Problem } from "../config/problem.ts";
import { replicasOf } from "../config/replicas.ts";
import { parseChecksum } from "../config/template.ts";
import { CLONE_SNIPPETS_GLOB, Part, PREFLIGHT_GLOB } from "../fleet/part.ts";
import { ranges } from "../providers/preflight/ranges.ts";
import { selection } from "../providers/run/commandLine.ts";
import { Before, readBefore } from "./before.ts";
import { cloneBoots } from "./cloneSnippets.ts";

/** What a run is about, and what there was before it. */
export interface RunPart {
  part: Part;
  /** Empty in a run of everything, unless a clone set is kept as it is: nobody asks then. */
  before: Before;
}

export async function runPart({ cloneSets }: Pick<Fleet, "cloneSets">): Promise<RunPart> {
  const part = new Part({ project: pulumi.getProject(), stack: pulumi.getStack() }, selection());
  const isNeeded = !part.isWhole || Object.values(cloneSets).some(({ keep }) => keep);
  return { part, before: isNeeded ? await readBefore() : new Before() };
}

type Config = Pick<Fleet, "templates" | "existing" | "cloneSets">;

/** Whether the run may change a clone. */
export const isConcerned = (
  { part }: RunPart,
  key: string,
  set: CloneSet,
  vmId: number,
  { templates }: Pick<Config, "templates">,
): boolean => !set.keep && part.hasClone(key, { vmId, template: set.template }, templates);

/** Named before the rest is counted. */
const NAMED = 5;

/**
 * Said of a run with preflight among its targets, where the config has lost clones or templates that are none: all of them depend
 * on preflight, and the engine refuses to leave them out. What it proposes, `--target-dependents`, would take in everything.
 */
export function lostNote(
  { templates, cloneSets }: Pick<Config, "templates" | "cloneSets">,
  { part, before }: RunPart,
): string | undefined {
  if (part.isWhole || part.leavesOut || !part.hasPreflight) return undefined;
  const configured = new Set([
    ...Object.values(templates).map(({ vmId }) => vmId),
    ...Object.values(cloneSets).flatMap(({ clones }) => clones.map(({ vmId }) => vmId)),
  ]);
  const clones = before.clones.flatMap(({ info: { vmId } }) =>
    configured.has(vmId) || part.hasLostClone(vmId) ? [] : [{ vmId, glob: `**::vm-${vmId}` }],
  );
  const made = before.templates.flatMap((vmId) =>
    configured.has(vmId) || part.hasTemplate("", vmId) ? [] : [{ vmId, glob: `**::${vmId}-*` }],
  );
  const lost = [...clones, ...made];
  if (lost.length === 0) return undefined;
  const globs = lost.slice(0, NAMED).map(({ glob }) => `--target '${glob}'`);
  const more = lost.length > NAMED ? " …" : "";
  return `the config does not have ${ranges(lost.map(({ vmId }) => vmId))} any more, and the run is not about ${lost.length === 1 ? "it" : "them"}: Pulumi refuses that. Add ${globs.join(" ")}${more}, which deletes ${lost.length === 1 ? "it" : "them"}, or say with --exclude what the run is not about; --target-dependents would take in everything`;
}

/** Told where preflight, which would tell it, is not part of the run either. */
export const leftOutError = (problems: readonly Problem[]): Error =>
  new pulumi.RunError(
    `${problems.map(({ path, message }) => `${path}: ${message}`).join("\n")}\nNothing was changed. A run of everything (pulumi up) makes what is missing.`,
  );

/** Snippets of their own that clones of the run boot with, where they are not there yet. */
function missingSnippets(config: Config, run: RunPart, missing: (what: string, glob: string) => string): Problem[] {
  const { part, before } = run;
  const sources = sourcesIn(config);
  const concerned = Object.entries(config.cloneSets).flatMap(([key, set]) => {
    const clones = set.clones.filter(({ vmId }) => isConcerned(run, key, set, vmId, config));
    return clones.length > 0 ? [{ set, clones }] : [];
  });
  if (concerned.length === 0) return [];
  const boots = cloneBoots(config);
  return concerned.flatMap(({ set, clones }) => {
    const nodes = Object.keys(replicasOf(sources, set.template));
    const lacking = clones.flatMap(({ path, vmId, name }) => {
      const urns = (boots.get(vmId)?.snippets ?? []).flatMap(({ kind, text }) =>
        nodes.map((node) => part.cloneSnippetUrn(node, kind, text)),
      );
      return urns.some((urn) => !before.has(urn) && !part.hasCloneSnippet(urn)) ? [{ path, name }] : [];
    });
    const [first, ...more] = lacking;
    if (!first) return [];
    const others = more.length > 0 ? ` (and of ${more.length} more)` : "";
    const what = `the snippet with the first-boot configuration of ${first.name}${others}`;
    return [{ path: `${first.path}.cloudInit`, message: missing(what, CLONE_SNIPPETS_GLOB) }];
  });
}

/** What the run needs, was never made, and is not part of the run. */
export function missingParts(config: Config, run: RunPart): Problem[] {
  const { templates, existing, cloneSets } = config;
  const { part, before } = run;
  if (part.isWhole) return [];
  const missing = (what: string, glob: string) => {
    const expected = part.leavesOut
      ? "expected it not to be excluded"
      : `expected it among the targets: --target '${glob}'`;
    return `${what} was never made and is not part of this run; ${expected}`;
  };
  if (!part.hasPreflight && !before.has(part.preflightUrn))
    return [{ path: "preflight", message: missing("the resource by which a fleet knows its own VMs", PREFLIGHT_GLOB) }];
  const ofTemplates = Object.entries(templates).flatMap(([key, { vmId, path }]) =>
    part
      .lacking(key, vmId, (name) => before.hasPart(vmId, name))
      .map((name) => ({ path, message: missing(`${vmId}-${name}`, `**::${vmId}-${name}`) })),
  );
  const ofImages = Object.entries(templates).flatMap(([key, { vmId, path, image }]): Problem[] => {
    const had = before.imageOf(vmId);
    // One that is a secret cannot be compared.
    if (typeof had?.url !== "string" || !part.hasTemplateVm(key, vmId) || part.hasImage(key, vmId)) return [];
    const parsed = image.checksum === undefined ? undefined : parseChecksum(image.checksum);
    const wanted = {
      url: image.url,
      checksum: parsed && `${parsed.algorithm}:${parsed.value}`,
      checksumUrl: image.checksumUrl,
    };
    const changed = (["url", "checksum", "checksumUrl"] as const).filter(
      (one) => (had[one] ?? undefined) !== wanted[one],
    );
    if (changed.length === 0) return [];
    const message =
      "it has changed and is not part of this run, so the VM would be made from the old one; expected both or neither";
    return [{ path: `${path}.image`, message }];
  });
  const ofSets = Object.entries(cloneSets).flatMap(([key, set]): Problem[] => {
    const { template, clones } = set;
    const { vmId = 0 } = templates[template] ?? {};
    const isMade = template in existing || part.hasTemplate(template, vmId) || before.hasPart(vmId, "conversion");
    if (isMade || !clones.some((clone) => isConcerned(run, key, set, clone.vmId, config))) return [];
    const message = missing(`template ${template} (VM ${vmId})`, `**::${vmId}-*`);
    return [{ path: `cloneSets.${key}.template`, message }];
  });
  return [...ofTemplates, ...ofImages, ...ofSets, ...missingSnippets(config, run, missing)];
}
