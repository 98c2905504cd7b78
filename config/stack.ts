import * as pulumi from "@pulumi/pulumi";
import { type LoadedConfig, loadConfig } from "./load.ts";

/** The config of the stack that is being run. */
export function loadStackConfig(): LoadedConfig {
  const prefix = `${pulumi.getProject()}:`;
  // The plain values: what is secret in them is wrapped again where it goes into a resource.
  const all: Record<string, string> = pulumi.runtime.allConfig();
  const names = Object.keys(all).flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
  return loadConfig((name) => all[prefix + name], names, process.env);
}
