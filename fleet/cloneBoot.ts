import type { CloudInit, FirstBoot } from "../config/cloudInit.ts";
import { type CloneWords, filled, wordsOf } from "../config/fill.ts";
import type { CloneSource, PlacedClone } from "../config/fleet.ts";
import { ownAccount, ownSnippets } from "../config/rules/firstBoot.ts";
import { publicKeys } from "../config/rules/keys.ts";
import { inlined, wholeText } from "../config/rules/wholeTexts.ts";
import type { SnippetKind } from "../config/snippetSources.ts";
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
  /** Lines of authorized_keys, URL-encoded, as PVE wants them; empty: the template's are taken away. */
  sshkeys?: string;
}

/** A clone's first boot, where it is not its template's. */
export interface CloneBoot {
  /** The template's configuration with the set's and the clone's over it. */
  cloudInit: CloudInit;
  /** The snippets of its own. */
  snippets: { kind: SnippetKind; text: string }[];
  account?: Account;
  /** Hash of what the config says, whatever stands for the clone's own name and address in it; missing: nothing but DNS. */
  content?: string;
}

/** Windows' cloudbase-init does not read the SMBIOS serial, by which a clone keeps its instance. */
export const knowsSerial = ({ osType }: Pick<CloneSource, "osType">): boolean => !/^w/.test(osType);

const hostOf = (address: string | undefined): string | undefined =>
  address?.includes("/") ? address.slice(0, address.indexOf("/")) : undefined;

/** @param n its place in its set, from 1 */
function cloneWords({ name, vmId, ip, ip6 }: PlacedClone, n: number): CloneWords {
  const address = hostOf(ip) ?? hostOf(ip6);
  return { name, vmId, n, ...(address !== undefined && { ip: address }) };
}

/** Hashing a password takes its time, and all clones of a set have the same. */
const hashes = new Map<string, string>();

/** The salt has nothing of the password, and stays when keys of the config change. */
function hashOf(password: string, salt: string): string {
  const key = `${salt} ${password}`;
  const hash = hashes.get(key) ?? hashPassword(password, salt);
  hashes.set(key, hash);
  return hash;
}

const saltOf = ({ vmId }: Pick<CloneSource, "vmId">): string => `clones of VM ${vmId}`;

const keysOf = (own: FirstBoot): string[] => publicKeys(own, "").keys;

/** PVE writes the fields into user-data of its own; a user without a password of its own has the template's. */
function accountOf(own: FirstBoot, template: CloneSource): Account {
  const hasKeys = own.sshPublicKeys !== undefined || own.sshPublicKeyFile !== undefined;
  return {
    ...(own.user !== undefined && { ciuser: own.user }),
    ...(own.password !== undefined && { cipassword: hashOf(own.password, saltOf(template)) }),
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
    ...(password !== undefined && { passwordHash: hashOf(password, saltOf(template)) }),
  });
}

const saysNothing = (value: unknown): boolean =>
  value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);

/**
 * Hash of what set and clone say together, with nothing in it that is a secret in plain text, and files as what is in them. DNS is not
 * of the first boot: a guest takes it over later, too.
 *
 * @returns undefined if they say nothing
 */
function contentOf(own: FirstBoot): string | undefined {
  const { password, sshPublicKeyFile, sshPublicKeys, dns: _dns, ...rest } = own;
  const hasKeys = sshPublicKeyFile !== undefined || sshPublicKeys !== undefined;
  const said = Object.entries(rest).filter(([, value]) => !saysNothing(value));
  if (said.length === 0 && password === undefined && !hasKeys) return undefined;
  return contentHash({
    ...Object.fromEntries(said),
    ...(password !== undefined && { password: hashOf(password, "first boot") }),
    ...(hasKeys && { keys: keysOf(own) }),
  });
}

/** A clone's first-boot configuration: its template's, with its set's and its own over it. */
export const firstBootOf = (
  { cloudInit }: Pick<CloneSource, "cloudInit">,
  clone: Pick<PlacedClone, "cloudInit">,
): CloudInit => (clone.cloudInit ?? []).reduce<CloudInit>((under, above) => over(under, above), cloudInit);

function bootOf(layers: readonly FirstBoot[], words: CloneWords, template: CloneSource): CloneBoot {
  const said = layers.reduce<FirstBoot>((under, above) => over(under, above), {});
  const own = filled(said, words);
  const cloudInit = over(template.cloudInit, own);
  const account = ownAccount(layers, template) ? accountOf(own, template) : undefined;
  const content = contentOf(said);
  return {
    cloudInit,
    snippets: ownSnippets(layers, template).map((kind) => ({ kind, text: render(kind, cloudInit, template) })),
    ...(account && { account }),
    ...(content !== undefined && { content }),
  };
}

/** First boots by what set and clone say of them: most clones of a set have the same one. */
export class CloneBoots {
  readonly #alike = new Map<FirstBoot, CloneBoot>();

  /**
   * What a clone's first boot is where its set or itself says more than its template; undefined: it is the template's.
   *
   * @param n its place in its set, from 1
   */
  of(clone: PlacedClone, n: number, template: CloneSource): CloneBoot | undefined {
    const { cloudInit = [] } = clone;
    const [set, own] = cloudInit;
    if (set === undefined) return undefined;
    const layers = cloudInit.map(inlined);
    const words = cloneWords(clone, n);
    if (own !== undefined || layers.some((layer) => wordsOf(layer).size > 0)) return bootOf(layers, words, template);
    const known = this.#alike.get(set) ?? bootOf(layers, words, template);
    this.#alike.set(set, known);
    return known;
  }
}
