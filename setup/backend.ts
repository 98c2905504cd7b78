import { randomBytes } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "yaml";
import type { Toolchain } from "../toolchain/install.ts";
import { type PulumiResult, runPulumi } from "../toolchain/pulumi.ts";
import { absoluteUrl, backendUrl, credentialsFor, isCloud, localFiles, ownLogin, rememberedBackend } from "./local.ts";
import { UsageError } from "./options.ts";
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
  /** URL of an option, which is kept for later commands. */
  remember?: string;
}

/** Whether a URL has a user or a password in it; an `@` in the path of files is none. */
const hasCredentials = (url: string) =>
  (!url.startsWith("file://") && /^[^?]*@/.test(url)) ||
  /[?&][^=&]*(password|secret|token|access_?key)[^=&]*=/i.test(url);

const WITH_CREDENTIALS =
  "--backend: found a URL with a user or password in it, which setup would have to store; set PULUMI_BACKEND_URL instead";

const EMPTY_PASSPHRASE =
  "PULUMI_CONFIG_PASSPHRASE is set but empty, so that anybody could decrypt the stack's token: unset it (setup then makes a passphrase), or set one";

/**
 * Looks where the state goes. Writes nothing.
 *
 * @param isNew a stack is to be made: one that exists may have an empty passphrase
 * @throws UsageError if the new stack's secrets would not be safe
 */
export function chooseBackend(
  root: string,
  given: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
  isNew = true,
): Backend {
  const files = localFiles(root);
  if (given !== undefined && hasCredentials(given)) throw new UsageError(WITH_CREDENTIALS);
  const remembered = env.PULUMI_BACKEND_URL ? undefined : rememberedBackend(root);
  const option = given || remembered;
  const login = option || env.PULUMI_BACKEND_URL || existsSync(files.state) ? undefined : ownLogin(root, env);
  const said = option || env.PULUMI_BACKEND_URL || login?.url;
  const url = said && absoluteUrl(root, said);
  const needsPassphrase = !(url !== undefined && isCloud(url));
  // Pulumi takes one that is empty, too.
  if (needsPassphrase && isNew && env.PULUMI_CONFIG_PASSPHRASE === "") throw new UsageError(EMPTY_PASSPHRASE);
  const ownPassphrase = env.PULUMI_CONFIG_PASSPHRASE !== undefined || Boolean(env.PULUMI_CONFIG_PASSPHRASE_FILE);
  const localPassphrase = !ownPassphrase && needsPassphrase;
  return {
    text: url === undefined ? "in files of this checkout, .fleet/state" : url,
    env: {
      ...(url === undefined
        ? { PULUMI_BACKEND_URL: backendUrl(files) }
        : (option || url !== said) && { PULUMI_BACKEND_URL: url }),
      ...(login ? { PULUMI_CREDENTIALS_PATH: login.folder } : credentialsFor(root, url, env)),
      // Setup runs Pulumi in a folder of its own, too.
      ...(env.PULUMI_CONFIG_PASSPHRASE_FILE && {
        PULUMI_CONFIG_PASSPHRASE_FILE: resolve(root, env.PULUMI_CONFIG_PASSPHRASE_FILE),
      }),
      ...(localPassphrase && { PULUMI_CONFIG_PASSPHRASE_FILE: files.passphraseFile }),
    },
    ...(given && url && { remember: url }),
    localState: url === undefined,
    localPassphrase,
  };
}

/** Makes what is local: the folder of the state, and a passphrase if there is none. */
export function makeLocal(root: string, backend: Backend): void {
  const { localState, localPassphrase } = backend;
  const files = localFiles(root);
  if (localState) mkdirSync(files.state, { recursive: true, mode: 0o700 });
  if (localPassphrase && !existsSync(files.passphraseFile))
    writeFiles([{ path: files.passphraseFile, text: `${randomBytes(24).toString("base64url")}\n`, mode: 0o600 }]);
}

/** Keeps the URL of an option for later commands, once a stack is there. */
export function rememberBackend(root: string, { remember }: Backend): void {
  if (remember) writeFiles([{ path: localFiles(root).backendFile, text: `${remember}\n`, mode: 0o600 }]);
}

/** Runs Pulumi for the stack, quietly. */
export type Pulumi = (args: string[], options?: { input?: string; cwd?: string }) => Promise<PulumiResult>;

export function pulumiFor(toolchain: Toolchain, root: string, env: Record<string, string>): Pulumi {
  const quiet = { onStdout: () => undefined, onStderr: () => undefined };
  return (args, { input, cwd = root } = {}) =>
    runPulumi(toolchain, [...args, "--non-interactive"], {
      cwd,
      env,
      // What was made on the cluster a moment ago must get into the stack, whatever is pressed.
      apart: true,
      ...quiet,
      ...(input !== undefined && { input }),
    });
}

/** Pulumi refused; the message has its words. */
export class PulumiError extends Error {
  override name = "PulumiError";

  constructor(what: string, { stdout, stderr, code }: PulumiResult) {
    super(`${what} (exit code ${code}):\n${`${stderr}${stdout}`.trim()}`);
  }
}

/** Runs with a copy of the project that nobody sees: Pulumi writes stack files, which must not be there before they are complete. */
async function aside<T>(root: string, work: (cwd: string) => Promise<T>): Promise<T> {
  const parent = join(root, ".fleet");
  mkdirSync(parent, { recursive: true });
  const cwd = mkdtempSync(join(parent, "unfinished-"));
  try {
    cpSync(join(root, "Pulumi.yaml"), join(cwd, "Pulumi.yaml"));
    return await work(cwd);
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}

async function encrypted(pulumi: Pulumi, cwd: string, stack: string, token: string): Promise<StackSecrets> {
  const set = await pulumi(["config", "set", "--secret", "apiToken", "--stack", stack], { cwd, input: token });
  if (set.code !== 0) throw new PulumiError("the token cannot be encrypted", set);
  const { config, ...provider } = parse(readFileSync(join(cwd, `Pulumi.${stack}.yaml`), "utf8")) as {
    config: Record<string, { secure: string }>;
  };
  const apiToken = config["proxmox-golden-fleet:apiToken"];
  if (!apiToken?.secure) throw new Error("Pulumi did not encrypt the token");
  return { apiToken, provider };
}

/** Makes the stack, unless Pulumi has it already, and encrypts the token for it. */
export const makeStack = (
  pulumi: Pulumi,
  root: string,
  stack: string,
  token: string,
): Promise<{ secrets: StackSecrets; isNew: boolean }> =>
  aside(root, async (cwd) => {
    const init = await pulumi(["stack", "init", stack], { cwd });
    const isNew = init.code === 0;
    if (!isNew && (await pulumi(["stack", "select", stack], { cwd })).code !== 0)
      throw new PulumiError(`the stack "${stack}" cannot be made`, init);
    return { secrets: await encrypted(pulumi, cwd, stack, token), isNew };
  });

/**
 * Encrypts another token for a stack that exists.
 *
 * @param text of its stack file
 */
export const encrypt = (
  pulumi: Pulumi,
  root: string,
  stack: string,
  token: string,
  text: string,
): Promise<StackSecrets> =>
  aside(root, (cwd) => {
    writeFileSync(join(cwd, `Pulumi.${stack}.yaml`), text);
    return encrypted(pulumi, cwd, stack, token);
  });
