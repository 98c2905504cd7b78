import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, posix, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Where setup keeps what belongs to this checkout and to no commit: Pulumi's state in files, and its passphrase. */
export interface LocalFiles {
  /** Folder of Pulumi's state. */
  state: string;
  /** File (mode 0600) with the passphrase that encrypts the secrets of config and state. */
  passphraseFile: string;
  /** File (mode 0600) with the URL of `--backend`, which later commands need as well. */
  backendFile: string;
}

export const localFiles = (root: string): LocalFiles => ({
  state: join(root, ".fleet", "state"),
  passphraseFile: join(root, ".fleet", "passphrase"),
  backendFile: join(root, ".fleet", "backend"),
});

/** The backend that setup was told with an option. */
export function rememberedBackend(root: string): string | undefined {
  try {
    return readFileSync(localFiles(root).backendFile, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}

/** URL of the backend in files; without the metadata, which an engine that is killed can leave empty (docs/by-hand.md). */
export const backendUrl = (files: LocalFiles): string => `${pathToFileURL(files.state).href}?metadata=skip`;

/**
 * A `file://` URL whose path is relative, which Pulumi would look for in the folder where it happens to run, as one below `root`.
 * All others stay as they are: Pulumi knows `~` itself.
 */
export function absoluteUrl(root: string, url: string): string {
  const [, path, query = ""] = /^file:\/\/([^?]*)(\?.*)?$/.exec(url) ?? [];
  if (path === undefined || path.startsWith("/") || path.startsWith("~") || /^[A-Za-z]:/.test(path)) return url;
  return `file://${posix.resolve(pathToFileURL(root).pathname, path)}${query}`;
}

export const isCloud = (url: string): boolean => /^https?:/.test(url);

/** The user's own folder of logins, if there are any, else the one of the CLI that belongs to the checkout. */
function credentials(root: string, env: NodeJS.ProcessEnv): { folder: string; current?: string } | undefined {
  const own = resolve(root, env.PULUMI_CREDENTIALS_PATH || env.PULUMI_HOME || join(homedir(), ".pulumi"));
  for (const folder of [own, join(root, ".toolchain", "home")]) {
    try {
      const { current } = JSON.parse(readFileSync(join(folder, "credentials.json"), "utf8")) as { current?: string };
      return { folder, ...(current && { current }) };
    } catch {
      // The next one.
    }
  }
  return undefined;
}

/** Where the user is logged in, be it with a `pulumi` of their own or by `npm run fleet -- login`, and the login's folder. */
export function ownLogin(
  root: string,
  env: NodeJS.ProcessEnv = process.env,
): { url: string; folder: string } | undefined {
  const { folder, current } = credentials(root, env) ?? {};
  return folder && current ? { url: current, folder } : undefined;
}

/** The toolchain has a home of its own for the CLI; a service that wants a login finds the user's in this variable. */
export function credentialsFor(
  root: string,
  url: string | undefined,
  env: NodeJS.ProcessEnv,
): { PULUMI_CREDENTIALS_PATH?: string } {
  const folder = url && isCloud(url) ? credentials(root, env)?.folder : undefined;
  return folder === undefined ? {} : { PULUMI_CREDENTIALS_PATH: folder };
}

/**
 * Where the stacks of this checkout are, as Pulumi's environment: in the files that setup made, or where the user is logged in.
 * What the user has set already stays.
 */
export function localEnvironment(root: string, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const files = localFiles(root);
  const own: Record<string, string> = {};
  const remembered = env.PULUMI_BACKEND_URL ? undefined : rememberedBackend(root);
  if (remembered !== undefined) own.PULUMI_BACKEND_URL = remembered;
  const url = env.PULUMI_BACKEND_URL || remembered;
  if (url) Object.assign(own, credentialsFor(root, url, env));
  else if (existsSync(files.state)) own.PULUMI_BACKEND_URL = backendUrl(files);
  else {
    const login = ownLogin(root, env);
    if (login) own.PULUMI_CREDENTIALS_PATH = login.folder;
  }
  // One that is empty is one for Pulumi.
  if (
    env.PULUMI_CONFIG_PASSPHRASE === undefined &&
    !env.PULUMI_CONFIG_PASSPHRASE_FILE &&
    existsSync(files.passphraseFile)
  )
    own.PULUMI_CONFIG_PASSPHRASE_FILE = files.passphraseFile;
  return own;
}
