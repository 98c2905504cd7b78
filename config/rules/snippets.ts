import type { CloudInit } from "../cloudInit.ts";
import type { Cluster } from "../cluster.ts";
import type { PlacedTemplate } from "../fleet.ts";
import type { Login } from "../login.ts";
import { found, type Problem } from "../problem.ts";
import { originals } from "../replicas.ts";
import { SNIPPET_SOURCES } from "../snippetSources.ts";
import type { Template } from "../template.ts";
import { list } from "../text.ts";
import { publicKeys } from "./keys.ts";

/** What PVE has no field for, so that it goes into a snippet; with the value that says nothing. */
const SNIPPET_KEYS = [
  ...SNIPPET_SOURCES.vendor,
  "userData",
  "raw",
  ...SNIPPET_SOURCES.meta,
  ...SNIPPET_SOURCES.network,
] as const satisfies (keyof CloudInit)[];

export const saysNothing = (value: unknown): boolean =>
  value === undefined ||
  value === false ||
  (typeof value === "object" && value !== null && Object.keys(value).length === 0);

/** PVE writes keys into its YAML as they are, where a comment such as `me: at home` would be something else than a text. */
export const isPlain = (key: string): boolean => !/:\s|:$|\s#/.test(key);

/** The keys of a template's `cloudInit` that need a snippet. */
export function snippetKeys({ cloudInit, osType, path }: PlacedTemplate): string[] {
  const given = SNIPPET_KEYS.filter((key) => !saysNothing(cloudInit[key]));
  // For Windows PVE hands on what it has as the password itself, and so the hash.
  const hashed = /^w/.test(osType) && cloudInit.password !== undefined;
  const odd = cloudInit.sshPublicKeys.some((key) => !isPlain(key.trim()));
  const inFile = { ...cloudInit, sshPublicKeys: [] };
  const oddFile = !publicKeys(inFile, `${path}.cloudInit`).keys.every(isPlain);
  return [
    ...given,
    ...(hashed ? ["password"] : []),
    ...(odd ? ["sshPublicKeys"] : []),
    ...(oddFile ? ["sshPublicKeyFile"] : []),
  ];
}

/** Whether the cloud-init of a template goes by snippets; else PVE makes it from its own fields. */
export const usesSnippets = ({ cloudInit }: Pick<Template, "cloudInit">): boolean => cloudInit.snippets !== false;

/** Whether snippets can be uploaded: the plugin takes the API's password for SSH, where both are the same Linux user's. */
export const hasSsh = ({ ssh }: Cluster, login: Login): boolean =>
  ssh !== undefined || (login.kind === "password" && login.username.endsWith("@pam"));

type Templates = Record<string, PlacedTemplate>;

/**
 * The templates with `cloudInit.snippets` filled in: without SSH, what needs no snippet has none. With SSH all have, so that
 * nobody's templates are made anew by a version of the program that can do without.
 */
export function chooseSnippets(templates: Templates, cluster: Cluster, login: Login): Templates {
  const without = (one: PlacedTemplate) =>
    one.cloudInit.snippets ?? (hasSsh(cluster, login) || snippetKeys(one).length > 0);
  return Object.fromEntries(
    Object.entries(templates).map(([key, one]) => [
      key,
      {
        ...one,
        ...(one.cloudInit.snippets !== undefined && { saysSnippets: true as const }),
        cloudInit: { ...one.cloudInit, snippets: without(one) },
      },
    ]),
  );
}

/** Snippets that are needed, and cannot be uploaded or are not to be. */
export function snippetProblems(templates: Templates, cluster: Cluster, login: Login): Problem[] {
  return originals(templates).flatMap(([, template]): Problem[] => {
    const { path, cloudInit } = template;
    const at = `${path}.cloudInit`;
    const keys = snippetKeys(template);
    const named = list(keys.map((key) => `${at}.${key}`));
    const needs = keys.length === 1 ? "needs" : "need";
    if (cloudInit.snippets === false) {
      const message = `found ${found(false)}, but ${named} ${needs} a snippet: Proxmox VE has no field for ${keys.length === 1 ? "it" : "them"}; expected true, or no such keys`;
      return keys.length > 0 ? [{ path: `${at}.snippets`, message }] : [];
    }
    if (hasSsh(cluster, login)) return [];
    const how = "snippets are uploaded by SSH, and cluster.ssh is missing";
    if (keys.length > 0) {
      const [first] = keys.length === 1 ? keys : [];
      return [
        {
          path: first ? `${at}.${first}` : at,
          message: `${keys.length === 1 ? "it needs" : `${named} need`} a snippet; ${how}. Expected cluster.ssh: { username: root, privateKeyFile: ~/.ssh/id_ed25519 }, or only what Proxmox VE has fields for: user, password, SSH keys, dns and addresses`,
        },
      ];
    }
    return cloudInit.snippets
      ? [{ path: `${at}.snippets`, message: `found ${found(true)}; ${how}. Expected cluster.ssh, or false` }]
      : [];
  });
}
