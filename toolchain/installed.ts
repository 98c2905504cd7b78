import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { runCommand } from "./command.ts";
import type { Progress } from "./progress.ts";
import { isAtLeast } from "./versions.ts";

export interface Installed {
  pulumi: string;
  version: string;
}

/**
 * The user's own CLI, if it is at least as new as the SDK. An older one may well work, but the SDK speaks to it in a
 * protocol that only grows, and nobody has tried: the pinned pair is what the tests run with.
 */
export async function findPulumi(oldest: string, home: string, progress: Progress): Promise<Installed | undefined> {
  const pulumi = onPath("pulumi");
  if (pulumi === undefined) return undefined;
  const { stdout } = await runCommand(pulumi, ["version"], {
    env: { ...process.env, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  const version = stdout.trim().replace(/^v/, "");
  if (isAtLeast(version, oldest)) return { pulumi, version };
  progress.line(`${pulumi} is version ${version || "unknown"}, and ${oldest} or newer is needed: not used`);
  return undefined;
}

export function onPath(name: string, path: string = process.env.PATH ?? ""): string | undefined {
  return path
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
