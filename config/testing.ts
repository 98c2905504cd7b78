import type { TemplateFacts } from "./existing.ts";
import { type LoadedConfig, loadConfig } from "./load.ts";
import type { Resolved } from "./resolved.ts";
import type { SecretValue } from "./secrets.ts";

/** For tests of the config: a key that would pass as one. */
export const PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO6JxiLc/GqdgUEtcCk7TyRtmDvHPz/1bz0hTww9L0eF demo";

export const cluster = {
  endpoint: "https://pve1.example.net:8006",
  node: "pve1",
  ssh: { username: "root", nodes: {} },
};
export const noble = {
  vmId: 9000,
  image: { url: "https://example.net/noble.img", checksumUrl: "https://example.net/S" },
};
/** A template that was made elsewhere, as it is found on the cluster. */
export const templateFacts: TemplateFacts = {
  vmId: 900,
  name: "debian",
  node: "pve1",
  content: "0123456789ab",
  disks: [{ drive: "scsi0", datastore: "local-lvm", sizeGiB: 3 }],
  datastores: { cloudInit: "local-lvm" },
  drives: ["scsi0", "ide2"],
  nics: [{ bridge: "vmbr0" }],
  gpus: [],
  cores: 1,
  sockets: 1,
  numa: false,
  memoryMiB: 512,
  isQ35: false,
  hasAgent: true,
  osType: "l26",
};
export const apiToken = "golden@pve!fleet=1b2c3d4e";

/** Loads a stack config given as values, a small valid one below it. */
export function load(
  config: Record<string, unknown> = {},
  env: NodeJS.ProcessEnv = {},
  secrets: readonly SecretValue[] = [],
  resolved: Resolved = {},
): LoadedConfig {
  const all: Record<string, unknown> = { cluster, apiToken, templates: { noble }, ...config };
  const texts = new Map(
    Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === "string" ? value : JSON.stringify(value)] as const],
    ),
  );
  return loadConfig((name) => texts.get(name), [...texts.keys()], env, secrets, resolved);
}

/** The problems of a stack config as lines `path: message`. */
export const problems = (config?: Record<string, unknown>, env?: NodeJS.ProcessEnv): string[] =>
  load(config, env).problems.map(({ path, message }) => `${path}: ${message}`);

/** The problems of a template that is valid but for `fields`. */
export const templateProblems = (fields: Record<string, unknown>): string[] =>
  problems({ templates: { noble: { ...noble, ...fields } } });

/** The problems of a clone set `web` of the template `noble`. */
export const setProblems = (fields: Record<string, unknown>): string[] =>
  problems({ cloneSets: { web: { template: "noble", ...fields } } });
