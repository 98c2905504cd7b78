import type { CloudInit, FirstBoot } from "../config/cloudInit.ts";
import { type CloneWords, fill } from "../config/fill.ts";
import type { CloneSource, PlacedClone } from "../config/fleet.ts";
import { ownAccount, ownSnippets, type SnippetKind } from "../config/rules/firstBoot.ts";
import { publicKeys } from "../config/rules/keys.ts";
import { inlined, wholeText } from "../config/rules/wholeTexts.ts";
import { renderNetworkConfig } from "./cloudInit/networkConfig.ts";
import { over } from "./cloudInit/over.ts";
import { hashPassword } from "./cloudInit/password.ts";
import { renderUserData } from "./cloudInit/userData.ts";
import { renderCloneVendorData, renderVendorData } from "./cloudInit/vendorData.ts";
import { contentHash } from "./contentHash.ts";

/** User, password and keys as PVE's own fields have them. */
export interface Account {
  ciuser?: string;
  /** SHA-512 crypt hash. */
  cipassword?: string;
  /** Lines of authorized_keys, URL-encoded, as PVE wants them. */
  sshkeys?: string;
}

/** A clone's first boot, where it is not its template's. */
export interface CloneBoot {
  /** The template's configuration with the set's and the clone's over it. */
  cloudInit: CloudInit;
  /** The snippets of its own. */
  snippets: { kind: SnippetKind; text: string }[];
  account?: Account;
  /** Hash of what the config says, whatever stands for the clone's own name and address in it. */
  content: string;
}

/** Windows' cloudbase-init does not read the SMBIOS serial, by which a clone keeps its instance. */
export const knowsSerial = ({ osType }: Pick<CloneSource, "osType">): boolean => !/^w/.test(osType);

const hostOf = (address: string | undefined): string | undefined =>
  address?.includes("/") ? address.slice(0, address.indexOf("/")) : undefined;

/** @param n its place in its set, from 1 */
export function wordsOf({ name, vmId, ip, ip6 }: PlacedClone, n: number): CloneWords {
  const address = hostOf(ip) ?? hostOf(ip6);
  return { name, vmId, n, ...(address !== undefined && { ip: address }) };
}

/** Hashing a password takes its time, and all clones of a set have the same. */
const hashes = new Map<string, string>();

/** The salt has nothing of the password, and stays when keys of the config change. */
function hashOf(password: string, { vmId }: CloneSource): string {
  const key = `${vmId} ${password}`;
  const hash = hashes.get(key) ?? hashPassword(password, `clones of VM ${vmId}`);
  hashes.set(key, hash);
  return hash;
}

const keysOf = (own: FirstBoot): string[] => publicKeys(own, "").keys;

/** PVE writes the fields into user-data of its own; a user without a password of its own has the template's. */
function accountOf(own: FirstBoot, template: CloneSource): Account {
  const hasKeys = own.sshPublicKeys !== undefined || own.sshPublicKeyFile !== undefined;
  return {
    ...(own.user !== undefined && { ciuser: own.user }),
    ...(own.password !== undefined && { cipassword: hashOf(own.password, template) }),
    ...(hasKeys && { sshkeys: encodeURIComponent(keysOf(own).join("\n")) }),
  };
}

function render(kind: SnippetKind, cloudInit: CloudInit, template: CloneSource): string {
  const { agent } = template;
  const { raw, meta, network } = cloudInit;
  if (kind === "network") return renderNetworkConfig(network ?? {});
  if (kind === "meta") return meta ? wholeText(meta) : "";
  if (kind === "user" && raw) return wholeText(raw);
  if (kind === "vendor")
    return (knowsSerial(template) ? renderCloneVendorData : renderVendorData)(cloudInit, { agent });
  const { password } = cloudInit;
  return renderUserData(cloudInit, {
    publicKeys: keysOf(cloudInit),
    ...(password !== undefined && { passwordHash: hashOf(password, template) }),
  });
}

/** What the config says of a first boot, with nothing in it that is a secret in plain text, and files as what is in them. */
function contentOf(layers: readonly FirstBoot[], template: CloneSource): string {
  const own = layers.map(({ password, sshPublicKeyFile: _file, sshPublicKeys: _keys, dns: _dns, ...rest }, index) => ({
    ...rest,
    password: password === undefined ? undefined : hashOf(password, template),
    keys: keysOf(layers[index] ?? {}),
  }));
  return contentHash(own);
}

/** A clone's first-boot configuration: its template's, with its set's and its own over it. */
export const firstBootOf = (
  { cloudInit }: Pick<CloneSource, "cloudInit">,
  clone: Pick<PlacedClone, "cloudInit">,
): CloudInit => (clone.cloudInit ?? []).reduce<CloudInit>((under, above) => over(under, above), cloudInit);

/**
 * What a clone's first boot is where its set or itself says more than its template; undefined: it is the template's.
 *
 * @param n its place in its set, from 1
 */
export function cloneBoot(clone: PlacedClone, n: number, template: CloneSource): CloneBoot | undefined {
  const layers = (clone.cloudInit ?? []).map(inlined);
  if (layers.length === 0) return undefined;
  const filled = layers.map((layer) => fill(layer, wordsOf(clone, n)));
  const own = filled.reduce<FirstBoot>((under, above) => over(under, above), {});
  const cloudInit = over(template.cloudInit, own);
  const account = ownAccount(layers, template) ? accountOf(own, template) : undefined;
  return {
    cloudInit,
    snippets: ownSnippets(layers, template).map((kind) => ({ kind, text: render(kind, cloudInit, template) })),
    ...(account && { account }),
    content: contentOf(layers, template),
  };
}
