import type { FirstBoot } from "../cloudInit.ts";
import type { Cluster } from "../cluster.ts";
import { wordsIn, wordsOf } from "../fill.ts";
import { type CloneSet, type CloneSource, type Fleet, type PlacedClone, placeOf, sourcesIn } from "../fleet.ts";
import type { Login } from "../login.ts";
import { oncePerPlace, type Problem } from "../problem.ts";
import { list } from "../text.ts";
import { publicKeys } from "./keys.ts";
import { hasSsh, isPlain, usesSnippets } from "./snippets.ts";
import { inlined, wholeTexts } from "./wholeTexts.ts";

/** The snippets of cloud-init, with the keys of `cloudInit` that go into each. */
export const SNIPPET_SOURCES = {
  vendor: ["packages", "packageUpgrade", "timezone", "locale", "runCommands", "writeFiles", "vendor"],
  user: ["user", "password", "sshPublicKeyFile", "sshPublicKeys", "userData", "raw"],
  meta: ["meta"],
  network: ["network"],
} as const satisfies Record<string, readonly (keyof FirstBoot)[]>;

export type SnippetKind = keyof typeof SNIPPET_SOURCES;

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

const isStatic = (address: string | undefined): boolean => address?.includes("/") ?? false;

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
  // A network-config in which the address stands is the way to have both.
  const replaced =
    layer.network !== undefined && !wordsIn(layer.network).has("ip")
      ? clones.flatMap((clone) =>
          (["ip", "ip6"] as const).flatMap((field): Problem[] =>
            isStatic(clone[field])
              ? [
                  {
                    path: placeOf(clone.path, field),
                    message: `found ${clone[field]}, but ${path}.network replaces it; expected one of the two, or {ip} in it`,
                  },
                ]
              : [],
          ),
        )
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
  return [...keys, ...wholeTexts(layer, path), ...words, ...replaced, ...snippets];
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
  const problems = Object.entries(cloneSets).flatMap(([key, set]) =>
    layersOf(key, set).flatMap((one) => problemsOf(one, sources[set.template], withSsh)),
  );
  return oncePerPlace(problems);
}
