import * as pulumi from "@pulumi/pulumi";
import { type LoadedConfig, loadConfig } from "./load.ts";
import type { Problem } from "./problem.ts";
import { originals } from "./replicas.ts";

/** Places of the config that must not stand in plain text in `Pulumi.<stack>.yaml`, with the command that encrypts them. */
function plainSecrets(config: LoadedConfig, names: readonly string[], isSecret: (name: string) => boolean): Problem[] {
  const encrypt = (path: string) => `found in plain text; expected a secret: pulumi config set --secret ${path}`;
  const keys = ["apiToken", "password"].filter((name) => names.includes(name) && !isSecret(name));
  const guests = isSecret("templates")
    ? []
    : originals(config.templates).flatMap(([, { path, cloudInit }]) =>
        cloudInit.password ? [`${path}.cloudInit.password`] : [],
      );
  return [
    ...keys.map((path) => ({ path, message: encrypt(path) })),
    ...guests.map((path) => ({ path, message: encrypt(`--path '${path}'`) })),
  ];
}

/** The config of the stack that is being run. */
export function loadStackConfig(): LoadedConfig {
  const prefix = `${pulumi.getProject()}:`;
  // The plain values: what is secret in them is wrapped again where it goes into a resource.
  const all: Record<string, string> = pulumi.runtime.allConfig();
  const names = Object.keys(all).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  const config = loadConfig((name) => all[prefix + name], names, process.env);
  // What the SDK asks itself before it wraps a value; it has no public name there.
  const secretKeys = JSON.parse(process.env.PULUMI_CONFIG_SECRET_KEYS ?? "[]") as string[];
  const secret = (name: string) => secretKeys.includes(prefix + name);
  return { ...config, problems: [...config.problems, ...plainSecrets(config, names, secret)] };
}
