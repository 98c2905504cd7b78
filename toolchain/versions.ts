import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkout } from "./paths.ts";

/** The pinned versions. Each stands in one place: the engine's in its go.mod, the plugin's in package.json. */
export interface Versions {
  engine: string;
  proxmoxve: string;
}

const engineModule = "github.com/pulumi/pulumi/pkg/v3";

export function pinnedVersions(root: string = checkout.root): Versions {
  const goMod = readFileSync(join(root, "toolchain", "engine", "go.mod"), "utf8");
  const engine = goMod.match(new RegExp(`${engineModule} v(\\S+)`))?.[1];
  if (engine === undefined) throw new Error(`toolchain/engine/go.mod does not require ${engineModule}`);
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const proxmoxve = manifest.dependencies["@muhlba91/pulumi-proxmoxve"];
  if (proxmoxve === undefined) throw new Error("package.json does not depend on @muhlba91/pulumi-proxmoxve");
  return { engine, proxmoxve };
}

/** The numbers of the first version in a text such as `v3.253.0`, `go1.26rc1` or `pulumi 3.253.0-alpha.1`. */
export function parseVersion(text: string): [number, number, number] | undefined {
  const found = text.match(/(\d+)\.(\d+)(?:\.(\d+))?/);
  return found === null ? undefined : [Number(found[1]), Number(found[2]), Number(found[3] ?? 0)];
}

/** Whether `version` is `wanted` or newer. A text without a version is not. */
export function isAtLeast(version: string, wanted: string): boolean {
  const have = parseVersion(version);
  const want = parseVersion(wanted);
  if (have === undefined || want === undefined) return false;
  const difference = have[0] - want[0] || have[1] - want[1] || have[2] - want[2];
  // A pre-release comes before its release.
  return difference > 0 || (difference === 0 && !/\d-(?:alpha|beta|rc|dev)/.test(version));
}
