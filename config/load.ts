import type { z } from "zod";
import { cloneSetSchemaFor } from "./cloneSet.ts";
import { type Cluster, clusterSchema } from "./cluster.ts";
import { existingSchema, existingTemplate, isExisting } from "./existing.ts";
import { key as keySchema } from "./fields.ts";
import { readLocalFile } from "./files.ts";
import { type CloneSet, type ExistingTemplate, type Fleet, type PlacedTemplate, sourcesIn } from "./fleet.ts";
import { keysAt } from "./keys.ts";
import { type Login, type ReadConfig, readLogin } from "./login.ts";
import { found, type Hidden, type Problem, problemsOf } from "./problem.ts";
import { originals, placed, replicasOf } from "./replicas.ts";
import type { Open, Resolved } from "./resolved.ts";
import { effectiveAddresses, validAddresses } from "./rules/addresses.ts";
import { fitting } from "./rules/cloneSets.ts";
import { carried, coveredBoots } from "./rules/existing.ts";
import { firstBoots } from "./rules/firstBoot.ts";
import { hardware } from "./rules/hardware.ts";
import { importable } from "./rules/image.ts";
import { publicKeys } from "./rules/keys.ts";
import { uniqueMacs } from "./rules/macs.ts";
import { knownTemplates, uniqueNames } from "./rules/names.ts";
import { rotatable } from "./rules/rotateKeys.ts";
import { chooseSnippets, snippetProblems } from "./rules/snippets.ts";
import { uniqueVmIds } from "./rules/vmIds.ts";
import { wholeTexts } from "./rules/wholeTexts.ts";
import { holdsSecret, type SecretValue } from "./secrets.ts";
import { spellOut } from "./spellOut.ts";
import { type Template, templateSchema } from "./template.ts";
import { didYouMean, pathText } from "./text.ts";

/** The stack config's keys, without the project's name. */
export const KEYS = ["cluster", "apiToken", "username", "password", "templates", "cloneSets", "allowDeletes"] as const;

/** What could be read of the stack config, and everything that is wrong with it. */
export interface LoadedConfig {
  cluster?: Cluster;
  login?: Login;
  /** The parts that are well-formed; complete only if there are no problems. */
  templates: Record<string, PlacedTemplate>;
  existing: Record<string, ExistingTemplate>;
  cloneSets: Record<string, CloneSet>;
  /** Sets with `createClones: false`. */
  leftOut: Record<string, CloneSet>;
  /** What is left to the cluster; undefined: nothing. */
  open?: Open;
  /** How many clones that have left the config one run may delete. */
  allowDeletes?: number;
  problems: Problem[];
  /** What works, but should be known. */
  warnings: Problem[];
}

/** Whether nothing is wrong, so that all of the fleet is there. */
export function isComplete(config: LoadedConfig): config is LoadedConfig & Fleet & { login: Login } {
  return config.problems.length === 0 && config.cluster !== undefined && config.login !== undefined;
}

/** Parses sections; what is wrong with them goes to `problems`. */
function parser(problems: Problem[], hidden: Hidden) {
  return <S extends z.ZodType>(schema: S, raw: unknown, at: readonly PropertyKey[]): z.output<S> | undefined => {
    const result = schema.safeParse(raw);
    if (result.success) return result.data;
    problems.push(...problemsOf(result.error, raw, { at, keysAt: (path) => keysAt(schema, path), hidden }));
    return undefined;
  };
}

/** A section that must be a map; YAML that is broken or of another shape is a problem. */
function readObject(name: string, config: ReadConfig, problems: Problem[]): Record<string, unknown> | undefined {
  const text = config(name);
  if (text === undefined || text === "") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (value === null) return undefined;
    if (typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // It is no JSON but a plain text: reported below, like every other value that is no map.
  }
  problems.push({
    path: name,
    message: "expected a map of keys (edit Pulumi.<stack>.yaml, or `pulumi config set --path`)",
  });
  return undefined;
}

/**
 * Reads the whole stack config and reports all that is wrong with it at once. Nothing here needs the cluster.
 *
 * @param config reads a key of the stack config
 * @param names the keys that the stack config has, without the project's name
 * @param secrets values that no message shows
 * @param resolved what it leaves to the cluster; without it, templates that were made elsewhere are missing, and so are clones whose
 * VMID is to be chosen
 */
export function loadConfig(
  config: ReadConfig,
  names: readonly string[],
  env: NodeJS.ProcessEnv,
  secrets: readonly SecretValue[] = [],
  resolved: Resolved = {},
): LoadedConfig {
  const problems: Problem[] = [];
  const hidden: Hidden = (place) => holdsSecret(secrets, place);
  const parse = parser(problems, hidden);
  const warnings: Problem[] = [];
  for (const name of names.filter((one) => !(KEYS as readonly string[]).includes(one))) {
    const meant = didYouMean(name, KEYS);
    problems.push({
      path: name,
      message: `unknown key; ${meant ? `did you mean "${meant}"?` : `expected one of ${KEYS.join(", ")}`}`,
    });
  }

  const rawCluster = readObject("cluster", config, problems);
  if (rawCluster === undefined && !problems.some(({ path }) => path === "cluster")) {
    problems.push({
      path: "cluster",
      message: "missing; expected at least endpoint and node: `npm run setup` writes them, or see docs/by-hand.md",
    });
  }
  const cluster = rawCluster && parse(clusterSchema, rawCluster, ["cluster"]);
  const login = readLogin(config, env);
  if (!("kind" in login)) problems.push(login);
  const usableLogin = "kind" in login ? login : undefined;

  // For one run alone, so it wins.
  const allowed = env.GOLDEN_FLEET_ALLOW_DELETES || config("allowDeletes") || undefined;
  const allowDeletes = allowed === undefined ? undefined : Number(allowed);
  if (allowDeletes !== undefined && !(Number.isInteger(allowDeletes) && allowDeletes >= 0)) {
    problems.push({
      path: env.GOLDEN_FLEET_ALLOW_DELETES ? "GOLDEN_FLEET_ALLOW_DELETES" : "allowDeletes",
      message: `found ${allowed}; expected the number of clones that one run may delete`,
    });
  }

  const rawTemplates = readObject("templates", config, problems) ?? {};
  const parsed: Record<string, Template> = {};
  const existing: Record<string, ExistingTemplate> = {};
  const open: Open = { existing: {}, sets: {} };
  for (const [key, raw] of Object.entries(rawTemplates)) {
    parse(keySchema, key, ["templates", key]);
    if (isExisting(raw)) {
      const query = parse(existingSchema, raw, ["templates", key])?.existing;
      const path = pathText(["templates", key]);
      if (query) open.existing[key] = { path: `${path}.existing`, query };
      const facts = resolved.existing?.[key];
      if (facts) existing[key] = existingTemplate(path, facts);
      continue;
    }
    const template = parse(templateSchema, raw, ["templates", key]);
    if (template) parsed[key] = template;
  }
  const { templates: spread, problems: misplaced } = placed(parsed, cluster?.node ?? "");
  problems.push(...misplaced);
  const templates = cluster && usableLogin ? chooseSnippets(spread, cluster, usableLogin) : spread;

  const rawSets = readObject("cloneSets", config, problems) ?? {};
  const cloneSets: Record<string, CloneSet> = {};
  const leftOut: Record<string, CloneSet> = {};
  for (const [key, raw] of Object.entries(rawSets)) {
    parse(keySchema, key, ["cloneSets", key]);
    const set = parse(cloneSetSchemaFor(raw), raw, ["cloneSets", key]);
    if (!set) continue;
    const nodes = Object.keys(replicasOf(sourcesIn({ templates, existing }), set.template));
    const spelledOut = spellOut(set, pathText(["cloneSets", key]), nodes, resolved.chosen?.[key]);
    problems.push(...spelledOut.problems);
    if (spelledOut.open) open.sets[key] = spelledOut.open;
    (set.createClones ? cloneSets : leftOut)[key] = spelledOut.set;
  }

  const partial = { templates, existing, cloneSets };
  problems.push(...knownTemplates(partial, Object.keys(rawTemplates)));
  problems.push(
    ...uniqueVmIds(partial),
    ...uniqueNames(partial),
    ...validAddresses(partial),
    ...effectiveAddresses(partial),
    ...fitting(partial, usableLogin),
    ...rotatable(partial),
    ...uniqueMacs(partial),
    ...carried(partial),
    ...coveredBoots(partial),
    ...firstBoots(partial, cluster, usableLogin),
  );
  for (const [, template] of originals(templates)) {
    const { path } = template;
    problems.push(
      ...hardware(template, path, usableLogin),
      ...importable(template, path, hidden),
      ...publicKeys(template.cloudInit, `${path}.cloudInit`).problems,
      ...wholeTexts(template.cloudInit, `${path}.cloudInit`),
    );
    if (!template.image.checksum && !template.image.checksumUrl) {
      warnings.push({
        path: `${path}.image`,
        message: "no checksum: the download is trusted as it comes; set checksum or checksumUrl to have it verified",
      });
    }
  }
  if (cluster && usableLogin) problems.push(...snippetProblems(templates, cluster, usableLogin));
  if (cluster) problems.push(...unreadableFiles(cluster));
  return {
    ...(cluster && { cluster }),
    ...(usableLogin && { login: usableLogin }),
    templates,
    existing,
    cloneSets,
    leftOut,
    ...(Object.keys({ ...open.existing, ...open.sets }).length > 0 && { open }),
    ...(allowDeletes !== undefined && { allowDeletes }),
    problems,
    warnings,
  };
}

/** The files that the connection needs. */
function unreadableFiles({ tls, ssh }: Cluster): Problem[] {
  const files = [
    { path: "cluster.tls.caFile", file: tls.caFile },
    { path: "cluster.ssh.privateKeyFile", file: ssh?.privateKeyFile },
  ];
  return files.flatMap(({ path, file }) => {
    const read = file === undefined ? undefined : readLocalFile(file);
    return read && "reason" in read ? [{ path, message: `found ${found(file)}; ${read.reason}` }] : [];
  });
}
