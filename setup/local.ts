import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Where setup keeps what belongs to this checkout and to no commit: Pulumi's state in files, and its passphrase. */
export interface LocalFiles {
  /** Folder of Pulumi's state. */
  state: string;
  /** File (mode 0600) with the passphrase that encrypts the secrets of config and state. */
  passphraseFile: string;
}

export const localFiles = (root: string): LocalFiles => ({
  state: join(root, ".fleet", "state"),
  passphraseFile: join(root, ".fleet", "passphrase"),
});

/** URL of the backend in files; without the metadata, which an engine that is killed can leave empty (README). */
export const backendUrl = (files: LocalFiles): string => `${pathToFileURL(files.state).href}?metadata=skip`;

/** What setup made for Pulumi, as its environment. What the user has set already stays. */
export function localEnvironment(root: string, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const files = localFiles(root);
  const own: Record<string, string> = {};
  if (!env.PULUMI_BACKEND_URL && existsSync(files.state)) own.PULUMI_BACKEND_URL = backendUrl(files);
  if (!env.PULUMI_CONFIG_PASSPHRASE && !env.PULUMI_CONFIG_PASSPHRASE_FILE && existsSync(files.passphraseFile))
    own.PULUMI_CONFIG_PASSPHRASE_FILE = files.passphraseFile;
  return own;
}
