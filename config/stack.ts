import * as pulumi from "@pulumi/pulumi";
import { hasCredentials } from "./credentials.ts";
import { KEYS, type LoadedConfig, loadConfig } from "./load.ts";
import type { Problem } from "./problem.ts";
import { originals } from "./replicas.ts";
import type { Resolved } from "./resolved.ts";
import { canBeSecret, holdsSecret, type SecretValue, secretValues } from "./secrets.ts";
import { readStackFile } from "./stackFile.ts";
import { didYouMean } from "./text.ts";

/** The program's config, and which of it is secret. */
export interface StackConfig extends LoadedConfig {
  secrets: readonly SecretValue[];
}

/** What must not stand in plain text in `Pulumi.<stack>.yaml`, with the command that encrypts it. */
export function plainSecrets(
  { templates, cloneSets, leftOut }: Pick<LoadedConfig, "templates" | "cloneSets" | "leftOut">,
  names: readonly string[],
  secrets: readonly SecretValue[],
): Problem[] {
  const ofTemplates = originals(templates).flatMap(([, { path, cloudInit, image }]) => [
    ...(cloudInit.password ? [{ path: `${path}.cloudInit.password`, what: "" }] : []),
    ...(["url", "checksumUrl"] as const).flatMap((key) => {
      const url = image[key];
      return url !== undefined && hasCredentials(url) ? [{ path: `${path}.image.${key}`, what: "credentials " }] : [];
    }),
  ]);
  const ofSets = Object.entries({ ...cloneSets, ...leftOut }).flatMap(([key, set]) => [
    ...(set.cloudInit?.password ? [{ path: `cloneSets.${key}.cloudInit.password`, what: "" }] : []),
    ...set.clones.flatMap(({ path, cloudInit = [] }) =>
      cloudInit.some((own) => own !== set.cloudInit && own.password)
        ? [{ path: `${path}.cloudInit.password`, what: "" }]
        : [],
    ),
  ]);
  const login = ["apiToken", "password"].filter((name) => names.includes(name)).map((path) => ({ path, what: "" }));
  return [...login, ...ofTemplates, ...ofSets]
    .filter(({ path }) => !holdsSecret(secrets, path))
    .map(({ path, what }) => {
      const argument = path.includes(".") ? `--path '${path}'` : path;
      return { path, message: `found ${what}in plain text; expected a secret: pulumi config set --secret ${argument}` };
    });
}

/** What is encrypted, but would show all the same: nobody should believe that it is hidden. */
export function shownSecrets(secrets: readonly SecretValue[]): Problem[] {
  return secrets
    .filter(({ path, encrypted }) => encrypted && !canBeSecret(path))
    .map(({ path }) => ({
      path,
      message: `found encrypted, but it shows in names, in the state or in messages; expected plain text: pulumi config set --plaintext --path '${path}'`,
    }));
}

/**
 * Keys of another project that are meant to be ours: with a typo in the project's name a whole section would be missing,
 * and what it holds would be deleted. Other programs and providers have keys of their own, which are left alone.
 */
export function strayKeys(all: readonly string[], project: string): Problem[] {
  return all.flatMap((full): Problem[] => {
    const [namespace = "", name = ""] = full.split(/:(.*)/s);
    if (namespace === project) return [];
    const isMeant = (KEYS as readonly string[]).includes(name) || didYouMean(name, ["templates", "cloneSets"]);
    if (!isMeant || !didYouMean(namespace, [project])) return [];
    return [{ path: full, message: `found a key of another project; did you mean "${project}:${name}"?` }];
  });
}

/** A section as the engine gives it: a map is JSON. */
function decrypted(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A stack's config as Pulumi gives it. */
export interface RawStackConfig {
  /** Folder of Pulumi.yaml. */
  root: string;
  project: string;
  stack: string;
  /** Values in plain text by `project:key`; maps are JSON. */
  values: Readonly<Record<string, string>>;
  /** Keys of those that are secret, or have a secret in them. */
  secretKeys: readonly string[];
}

/** A stack's config, and all that is wrong with it. */
export function stackConfigOf(
  { root, project, stack, values, secretKeys }: RawStackConfig,
  resolved: Resolved = {},
): StackConfig {
  const prefix = `${project}:`;
  const names = Object.keys(values).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  const secretNames = names.filter((name) => secretKeys.includes(prefix + name));
  const needsFile = secretNames.some((name) => values[prefix + name]?.startsWith("{"));
  const file = needsFile ? readStackFile(root, project, stack) : {};
  const secrets = secretNames.flatMap((name) =>
    secretValues(decrypted(values[prefix + name] ?? ""), file[name], [name]),
  );
  const config = loadConfig((name) => values[prefix + name], names, process.env, secrets, resolved);
  const told = new Set(config.problems.map(({ path }) => path));
  const more = [...plainSecrets(config, names, secrets), ...shownSecrets(secrets)].filter(
    ({ path }) => !told.has(path),
  );
  return {
    ...config,
    secrets,
    problems: [...strayKeys(Object.keys(values), project), ...config.problems, ...more],
  };
}

/** The config of the stack that is being run. */
export const loadStackConfig = (resolved?: Resolved): StackConfig =>
  stackConfigOf(
    {
      root: pulumi.getRootDirectory(),
      project: pulumi.getProject(),
      stack: pulumi.getStack(),
      // Decrypted. What is secret becomes a Pulumi secret where it goes into a resource.
      values: pulumi.runtime.allConfig(),
      // What the SDK asks itself before it wraps a value; it has no public name there.
      secretKeys: JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[],
    },
    resolved,
  );
