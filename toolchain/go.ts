import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { releasesVariable } from "./releases.ts";
import { isAtLeast, parseVersion } from "./versions.ts";

/** The Go version that a module's go.mod asks for. */
export function requiredGo(moduleFolder: string): string {
  return readFileSync(join(moduleFolder, "go.mod"), "utf8").match(/^go (\S+)$/m)?.[1] ?? "1.21";
}

/** Go 1.21 and newer fetch a newer Go through the module proxy, unless told not to. */
const fetchesItself = "1.21.0";

/**
 * Makes sure that Go can build the modules, and says what to do if not.
 *
 * @param notDownloaded why nothing was downloaded instead
 * @throws Error with instructions
 */
export async function checkGo(
  moduleFolders: string[],
  notDownloaded?: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<void> {
  const goMessage = (needed: string, found: string) => messageFor(needed, found, notDownloaded);
  const needed = moduleFolders.map(requiredGo).reduce((a, b) => (isAtLeast(a, b) ? a : b));
  const { code, stdout, stderr, failure } = await runCommand("go", ["env", "GOVERSION", "GOTOOLCHAIN"], { env });
  if (failure?.code === "ENOENT") throw new Error(goMessage(needed, `"go" was not found on PATH (${env.PATH ?? ""})`));
  const [found = "", mayFetch = ""] = stdout.trim().split("\n");
  if (code !== 0 || parseVersion(found) === undefined) {
    throw new Error(goMessage(needed, `"go env GOVERSION" failed: ${(stderr || failure?.message || stdout).trim()}`));
  }
  if (isAtLeast(found, needed)) return;
  if (isAtLeast(found, fetchesItself) && mayFetch !== "local") return;
  throw new Error(
    goMessage(needed, `"go" on PATH is ${found}${mayFetch === "local" ? ", with GOTOOLCHAIN=local" : ""}`),
  );
}

function messageFor(needed: string, found: string, notDownloaded: string | undefined): string {
  return [
    `Pulumi's CLI is not on PATH${notDownloaded === undefined ? "" : " and cannot be downloaded"}, so it has to be built, and that needs Go.`,
    ...(notDownloaded === undefined ? [] : [`  download:   ${notDownloaded}`]),
    `  looked for: Go ${needed} or newer; Go ${fetchesItself} or newer will do if it may fetch a newer one (GOTOOLCHAIN=auto)`,
    `  found:      ${found}`,
    "One of these will do:",
    "  install Pulumi: https://www.pulumi.com/docs/install",
    "  install Go:     Debian, Ubuntu: sudo apt-get install golang-go   (or, if that is too old, the archive of https://go.dev/dl)",
    "                  macOS:          brew install go",
    `  download it:    through a proxy (HTTPS_PROXY), or from a mirror of GitHub's releases (${releasesVariable})`,
  ].join("\n");
}
