import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Toolchain } from "../../toolchain/install.ts";
import { runPulumi } from "../../toolchain/pulumi.ts";

/** Pulumi has refused; its own words are the message. */
export class PulumiError extends Error {
  override name = "PulumiError";
}

/** Asks the CLI something and keeps the answer from the terminal. */
export type Ask = (...args: string[]) => Promise<string>;

/** @throws PulumiError */
export const asker =
  (toolchain: Toolchain, root: string, env: Record<string, string>): Ask =>
  async (...args) => {
    const silent = { onStdout: () => undefined, onStderr: () => undefined };
    const { code, stdout, stderr } = await runPulumi(toolchain, [...args, "--non-interactive"], {
      cwd: root,
      env: { ...env, PULUMI_SKIP_UPDATE_CHECK: "true" },
      ...silent,
    });
    if (code !== 0) throw new PulumiError((stderr || stdout).trim());
    return stdout;
  };

/** The name of the project, as Pulumi.yaml has it. */
export function projectOf(root: string): string {
  const { name } = parse(readFileSync(join(root, "Pulumi.yaml"), "utf8")) as { name: string };
  return name;
}

/** A stack's resources, as its state has them. */
export interface StoredResource {
  urn: string;
  inputs?: Record<string, unknown>;
}

export async function readState(ask: Ask, stack: string): Promise<StoredResource[]> {
  const { deployment } = JSON.parse(await ask("stack", "export", "--stack", stack)) as {
    deployment?: { resources?: StoredResource[] | null } | null;
  };
  return deployment?.resources ?? [];
}

/** A stack's config with what is encrypted in plain text: never to be printed. */
export interface PlainConfig {
  /** By `project:key`; maps are JSON. */
  values: Record<string, string>;
  /** Keys of what is secret, or has a secret in it. */
  secretKeys: string[];
}

export async function readConfig(ask: Ask, stack: string): Promise<PlainConfig> {
  const all = JSON.parse(await ask("config", "--json", "--show-secrets", "--stack", stack)) as Record<
    string,
    { value?: string; secret: boolean }
  >;
  const entries = Object.entries(all);
  return {
    values: Object.fromEntries(entries.flatMap(([key, { value }]) => (value === undefined ? [] : [[key, value]]))),
    secretKeys: entries.flatMap(([key, { secret }]) => (secret ? [key] : [])),
  };
}
