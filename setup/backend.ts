import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { Toolchain } from "../toolchain/install.ts";
import { type PulumiResult, runPulumi } from "../toolchain/pulumi.ts";
import { backendUrl, localFiles } from "./local.ts";
import type { StackSecrets } from "./stackText.ts";
import { writeFiles } from "./writeFiles.ts";

/** Where Pulumi keeps the state, and what encrypts its secrets. */
export interface Backend {
  /** For the user. */
  text: string;
  /** What Pulumi needs in its environment for it, besides what the user has set. */
  env: Record<string, string>;
  /** The state goes to a folder of the checkout, which is made. */
  localState: boolean;
  /** The passphrase is made, or was made by setup before. */
  localPassphrase: boolean;
}

/** Where the user is logged in with a `pulumi` of their own. */
function currentLogin(home: string): string | undefined {
  try {
    const { current } = JSON.parse(readFileSync(join(home, "credentials.json"), "utf8")) as { current?: string };
    return current || undefined;
  } catch {
    return undefined;
  }
}

const isCloud = (url: string) => /^https?:/.test(url);

/** Looks where the state goes. Writes nothing. */
export function chooseBackend(root: string, given: string | undefined, env: NodeJS.ProcessEnv = process.env): Backend {
  const files = localFiles(root);
  const home = env.PULUMI_HOME || join(homedir(), ".pulumi");
  const login = given || env.PULUMI_BACKEND_URL ? undefined : existsSync(files.state) ? undefined : currentLogin(home);
  const url = given || env.PULUMI_BACKEND_URL || login;
  const ownPassphrase = Boolean(env.PULUMI_CONFIG_PASSPHRASE || env.PULUMI_CONFIG_PASSPHRASE_FILE);
  const localPassphrase = !ownPassphrase && !(url !== undefined && isCloud(url));
  return {
    text: url === undefined ? "in files of this checkout, .fleet/state" : url,
    env: {
      ...(url === undefined ? { PULUMI_BACKEND_URL: backendUrl(files) } : given && { PULUMI_BACKEND_URL: given }),
      // The login belongs to the home folder that it was made in.
      ...(login && { PULUMI_HOME: home }),
      ...(localPassphrase && { PULUMI_CONFIG_PASSPHRASE_FILE: files.passphraseFile }),
    },
    localState: url === undefined,
    localPassphrase,
  };
}

/** Makes what is local: the folder of the state, and a passphrase if there is none. */
export function makeLocal(root: string, { localState, localPassphrase }: Backend): void {
  const files = localFiles(root);
  if (localState) mkdirSync(files.state, { recursive: true, mode: 0o700 });
  if (localPassphrase && !existsSync(files.passphraseFile))
    writeFiles([{ path: files.passphraseFile, text: `${randomBytes(24).toString("base64url")}\n`, mode: 0o600 }]);
}

/** Runs Pulumi for the stack, quietly. */
export type Pulumi = (args: string[], options?: { input?: string; cwd?: string }) => Promise<PulumiResult>;

export function pulumiFor(toolchain: Toolchain, root: string, env: Record<string, string>): Pulumi {
  const quiet = { onStdout: () => undefined, onStderr: () => undefined };
  return (args, { input, cwd = root } = {}) =>
    runPulumi(toolchain, [...args, "--non-interactive"], { cwd, env, ...quiet, ...(input !== undefined && { input }) });
}

/** Pulumi refused; the message has its words. */
export class PulumiError extends Error {
  override name = "PulumiError";

  constructor(what: string, { stdout, stderr, code }: PulumiResult) {
    super(`${what} (exit code ${code}):\n${`${stderr}${stdout}`.trim()}`);
  }
}

export interface MadeStack {
  secrets: StackSecrets;
  /** False: Pulumi had it already. */
  isNew: boolean;
}

/**
 * Makes the stack, and encrypts the token for it. Pulumi writes a stack file for both, which must not be seen before it is
 * complete: it is a file of a folder that lives only so long.
 */
export async function makeStack(pulumi: Pulumi, root: string, stack: string, token: string): Promise<MadeStack> {
  const parent = join(root, ".fleet");
  mkdirSync(parent, { recursive: true });
  const cwd = mkdtempSync(join(parent, "unfinished-"));
  try {
    cpSync(join(root, "Pulumi.yaml"), join(cwd, "Pulumi.yaml"));
    const init = await pulumi(["stack", "init", stack], { cwd });
    const isNew = init.code === 0;
    if (!isNew) {
      const select = await pulumi(["stack", "select", stack], { cwd });
      if (select.code !== 0) throw new PulumiError(`the stack "${stack}" cannot be made`, init);
    }
    const set = await pulumi(["config", "set", "--secret", "apiToken", "--stack", stack], { cwd, input: token });
    if (set.code !== 0) throw new PulumiError("the token cannot be encrypted", set);
    const { config, ...provider } = parse(readFileSync(join(cwd, `Pulumi.${stack}.yaml`), "utf8")) as {
      config: Record<string, { secure: string }>;
    };
    const apiToken = config["proxmox-golden-fleet:apiToken"];
    if (!apiToken?.secure) throw new Error("Pulumi did not encrypt the token");
    return { secrets: { apiToken, provider }, isNew };
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
