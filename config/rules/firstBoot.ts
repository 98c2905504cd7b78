import ipaddr from "ipaddr.js";
import type { FirstBoot } from "../cloudInit.ts";
import type { Cluster } from "../cluster.ts";
import { wordsIn, wordsOf } from "../fill.ts";
import { addressPlace, type CloneSet, type CloneSource, type Fleet, type PlacedClone, sourcesIn } from "../fleet.ts";
import type { Login } from "../login.ts";
import { oncePerPlace, type Problem } from "../problem.ts";
import { SNIPPET_SOURCES, type SnippetKind } from "../snippetSources.ts";
import { list } from "../text.ts";
import { hostOf, interfacesOf } from "./addresses.ts";
import { publicKeys } from "./keys.ts";
import { hasSsh, isPlain, usesSnippets } from "./snippets.ts";
import { inlined, wholeTexts } from "./wholeTexts.ts";

/** Whether the clones of a template inherit a snippet of this kind. */
function inherits({ existing, ...template }: CloneSource, kind: SnippetKind): boolean {
  if (existing) return new RegExp(`(^|,)${kind}=`).test(existing.cicustom ?? "");
  const { raw, meta, network } = template.cloudInit;
  const isThere = { user: true, vendor: raw === undefined, meta: meta !== undefined, network: network !== undefined };
  return usesSnippets(template) && isThere[kind];
}

const says = (layers: readonly FirstBoot[], kind: SnippetKind): boolean =>
  SNIPPET_SOURCES[kind].some((key) => layers.some((layer) => layer[key] !== undefined));

/** What goes by a snippet of the clone's own; what is not here is its template's, or goes by PVE's own fields. */
export function ownSnippets(layers: readonly FirstBoot[], template: CloneSource): SnippetKind[] {
  const isOdd = layers.some(
    ({ userData, raw, password, ...layer }) =>
      userData !== undefined ||
      raw !== undefined ||
      // For Windows PVE hands on what it has as the password itself, and so the hash.
      (password !== undefined && /^w/.test(template.osType)) ||
      !publicKeys(layer, "").keys.every(isPlain),
  );
  return [
    ...(says(layers, "vendor") ? (["vendor"] as const) : []),
    ...(says(layers, "user") && (inherits(template, "user") || isOdd) ? (["user"] as const) : []),
    ...(says(layers, "meta") ? (["meta"] as const) : []),
    ...(says(layers, "network") ? (["network"] as const) : []),
  ];
}

/** Whether user, password or keys of the clone's own go by PVE's fields (PVE: ciuser, cipassword, sshkeys). */
export const ownAccount = (layers: readonly FirstBoot[], template: CloneSource): boolean =>
  says(layers, "user") && !ownSnippets(layers, template).includes("user");

/** The layers of a set and of its clones, each once, with its place. */
function layersOf(key: string, set: CloneSet): { path: string; layer: FirstBoot; clones: PlacedClone[] }[] {
  const own = set.cloudInit;
  const ofSet = own ? [{ path: `cloneSets.${key}`, layer: own, clones: set.clones }] : [];
  const ofClones = set.clones.flatMap((clone) => {
    const layer = clone.cloudInit?.find((one) => one !== own);
    return layer ? [{ path: clone.path, layer, clones: [clone] }] : [];
  });
  return [...ofSet, ...ofClones].map((one) => ({ ...one, path: `${one.path}.cloudInit` }));
}

const isStatic = (address: string | undefined): address is string => address?.includes("/") ?? false;

function problemsOf(
  { path, layer, clones }: ReturnType<typeof layersOf>[number],
  template: CloneSource | undefined,
  withSsh: boolean,
): Problem[] {
  const keys = publicKeys(layer, path).problems;
  const needsIp = wordsOf(inlined(layer)).has("ip");
  const without = needsIp ? clones.filter(({ ip, ip6 }) => !isStatic(ip) && !isStatic(ip6)) : [];
  const [first] = without;
  const words = first
    ? [
        {
          path,
          message: `found {ip}, but ${first.name} has no static address${without.length > 1 ? ` (and ${without.length - 1} more)` : ""}; expected ip: address/prefix with it`,
        },
      ]
    : [];
  const kinds = template && !withSsh ? ownSnippets([layer], template) : [];
  const needing = kinds.flatMap((kind) => SNIPPET_SOURCES[kind].filter((key) => layer[key] !== undefined));
  const snippets =
    needing.length > 0
      ? [
          {
            path,
            message: `${list(needing)} ${needing.length === 1 ? "needs" : "need"} a snippet; snippets are uploaded by SSH, and cluster.ssh is missing. Expected cluster.ssh: { username: root, privateKeyFile: ~/.ssh/id_ed25519 }, or only what Proxmox VE has fields for: user, password and SSH keys`,
          },
        ]
      : [];
  return [...keys, ...wholeTexts(layer, path), ...words, ...snippets];
}

/** What may be an address in the texts of a value. */
function wordsOfText(value: unknown): string[] {
  if (typeof value === "string") return value.match(/[\da-fA-F:.]+/g) ?? [];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(wordsOfText) : [];
}

/** Whether an address stands in a network-config as it is. */
const isIn = (host: string, network: unknown): boolean =>
  wordsOfText(network).some((word) => ipaddr.isValid(word) && ipaddr.parse(word).toNormalizedString() === host);

/**
 * Static addresses that the clone's own network-config, or its set's, takes the place of. One in which the address stands is the
 * way to have both.
 */
function replacedAddresses(key: string, set: CloneSet): Problem[] {
  return set.clones.flatMap((clone) => {
    const layer = clone.cloudInit?.findLast(({ network }) => network !== undefined);
    if (!layer) return [];
    const at = layer === set.cloudInit ? `cloneSets.${key}` : clone.path;
    // {ip} is the first address of the first interface.
    const byWord = isStatic(clone.ip) ? "ip" : "ip6";
    const hasWord = wordsIn(layer.network).has("ip");
    return interfacesOf(clone).flatMap((one) =>
      (["ip", "ip6"] as const).flatMap((field): Problem[] => {
        const cidr = one[field];
        const isWord = one === clone && field === byWord;
        if (!isStatic(cidr) || (isWord && hasWord) || isIn(hostOf(cidr), layer.network)) return [];
        const message = `found ${cidr}, but ${at}.cloudInit.network replaces it; expected one of the two, or ${isWord ? "{ip}" : "the address"} in it`;
        return [{ path: addressPlace(one, field), message }];
      }),
    );
  });
}

/** What clone sets and clones say of their first boot. */
export function firstBoots(
  { cloneSets, ...all }: Pick<Fleet, "templates" | "existing" | "cloneSets">,
  cluster: Cluster | undefined,
  login: Login | undefined,
): Problem[] {
  const sources = sourcesIn(all);
  // What is wrong with the cluster's section is told there.
  const withSsh = !cluster || !login || hasSsh(cluster, login);
  const problems = Object.entries(cloneSets).flatMap(([key, set]) => [
    ...layersOf(key, set).flatMap((one) => problemsOf(one, sources[set.template], withSsh)),
    ...replacedAddresses(key, set),
  ]);
  return oncePerPlace(problems);
}
