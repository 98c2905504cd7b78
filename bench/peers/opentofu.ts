import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { goBuild, makeFolder } from "../../toolchain/build.ts";
import { buildKey } from "../../toolchain/key.ts";
import { type Paths, workshop } from "../../toolchain/paths.ts";
import type { Progress } from "../../toolchain/progress.ts";
import { NotInstalledError } from "./missing.ts";

const tofuModule = join(import.meta.dirname, "tofu");
const providerModule = join(import.meta.dirname, "provider");
const providerName = "registry.opentofu.org/bpg/proxmox";

export interface OpenTofu {
  /** Path of the executable. */
  tofu: string;
  /** Folder in which `tofu init` finds the provider. */
  mirror: string;
}

/** The version that a go.mod requires of a module, without its `v`. */
function versionIn(folder: string, module: string): string {
  const version = readFileSync(join(folder, "go.mod"), "utf8").match(new RegExp(`${module} v(\\S+)`))?.[1];
  if (version === undefined) throw new Error(`${folder}/go.mod does not require ${module}`);
  return version;
}

export const openTofuVersion = (): string => versionIn(tofuModule, "github.com/opentofu/opentofu");
export const providerVersion = (): string => versionIn(providerModule, "github.com/bpg/terraform-provider-proxmox");

function folderOf(paths: Paths): string {
  const key = buildKey(tofuModule, buildKey(providerModule));
  return join(paths.store, `opentofu-${openTofuVersion()}-${key}`);
}

const inFolder = (folder: string): OpenTofu => ({ tofu: join(folder, "tofu"), mirror: join(folder, "mirror") });

/** @throws NotInstalledError */
export function findOpenTofu(paths: Paths): OpenTofu {
  const folder = folderOf(paths);
  if (!existsSync(folder)) throw new NotInstalledError("OpenTofu");
  return inFolder(folder);
}

/** OpenTofu and bpg's provider: built if they are not there. */
export async function ensureOpenTofu(paths: Paths, progress: Progress, signal: AbortSignal): Promise<OpenTofu> {
  const folder = folderOf(paths);
  if (existsSync(folder)) return inFolder(folder);
  await makeFolder(folder, workshop(paths), async (aside) => {
    await goBuild(
      {
        title: `building OpenTofu ${openTofuVersion()}`,
        module: tofuModule,
        mains: ["github.com/opentofu/opentofu/cmd/tofu"],
        // As its own releases are built.
        ldflags: "-X github.com/opentofu/opentofu/version.dev=no",
        output: join(aside, "tofu"),
        signal,
      },
      progress,
    );
    const version = providerVersion();
    const place = join(aside, "mirror", providerName, version, goPlatform());
    mkdirSync(place, { recursive: true });
    await goBuild(
      {
        title: `building bpg's provider ${version}`,
        module: providerModule,
        mains: ["github.com/bpg/terraform-provider-proxmox"],
        ldflags: "",
        output: join(place, `terraform-provider-proxmox_v${version}`),
        signal,
      },
      progress,
    );
  });
  return inFolder(folder);
}

/** `linux_amd64` */
function goPlatform(): string {
  const architectures: Record<string, string> = { x64: "amd64", ia32: "386" };
  return `${process.platform}_${architectures[process.arch] ?? process.arch}`;
}

/** The CLI's configuration file that makes it take the provider out of the mirror. */
export const mirrorConfig = ({ mirror }: OpenTofu): string =>
  `provider_installation {\n  filesystem_mirror {\n    path = ${JSON.stringify(mirror)}\n  }\n}\n`;
