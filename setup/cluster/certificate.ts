import { X509Certificate } from "node:crypto";
import { list } from "../../config/text.ts";
import { hostOf, servedCertificate } from "../../proxmox/certificate.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { listNodes } from "../../proxmox/cluster.ts";
import { ApiError, ConnectionError } from "../../proxmox/errors.ts";
import { listNodeCertificates } from "../../proxmox/nodeCertificates.ts";
import { verifiedBySystem } from "../../proxmox/systemTrust.ts";
import type { TlsOptions } from "../../proxmox/tls.ts";
import { type Verdict, verifiedBy } from "../../proxmox/verifiedBy.ts";
import { SetupError } from "./error.ts";

/** The certificate that an endpoint serves; nothing of it is verified but `trustedBy`. */
export interface EndpointCertificate {
  /** `https://host:port` */
  endpoint: string;
  /** SHA-256, `AA:BB:…`, as PVE shows it at node > System > Certificates. */
  fingerprint: string;
  /** `OU=PVE Cluster Node, O=Proxmox Virtual Environment, CN=pve1.example.net` */
  subject: string;
  issuer: string;
  /** Host names and addresses that it is made out to. */
  names: string[];
  /** Whether the endpoint's host is one of them. */
  isForHost: boolean;
  validFrom: Date;
  validTo: Date;
  /** Who trusts it already, with the endpoint's name: the CAs of the system, or the file in SSL_CERT_FILE. */
  trustedBy?: "system" | "SSL_CERT_FILE";
  /** Why nobody does, in OpenSSL's or Node's word. */
  untrusted?: string;
  /** The certificate itself. */
  pem: string;
}

/**
 * Fetches the certificate of an endpoint, without trusting it.
 *
 * @throws ConnectionError if nobody answers there with TLS
 */
export async function lookAtEndpoint(
  endpoint: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<EndpointCertificate> {
  const { pem, fingerprint, names, isForHost, validTo } = await servedCertificate(endpoint);
  const { subject, issuer, validFromDate } = new X509Certificate(pem);
  const oneLine = (name: string | undefined) => (name ?? "").split("\n").join(", ");
  return {
    endpoint,
    fingerprint,
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    names,
    isForHost,
    validFrom: validFromDate,
    validTo,
    pem,
    ...(await trustOf(endpoint, env)),
  };
}

async function trustOf(
  endpoint: string,
  env: NodeJS.ProcessEnv,
): Promise<Pick<EndpointCertificate, "trustedBy" | "untrusted">> {
  const untrusted = await verifiedBySystem(endpoint, {});
  if (untrusted === undefined) return { trustedBy: "system" };
  const { SSL_CERT_FILE } = env;
  if (SSL_CERT_FILE && (await verifiedBySystem(endpoint, { SSL_CERT_FILE })) === undefined)
    return { trustedBy: "SSL_CERT_FILE" };
  return { untrusted };
}

/** How every call is verified once the user has accepted the certificate: by its fingerprint, or, if it is trusted already, as usual. */
export function tlsFor({ trustedBy, fingerprint }: EndpointCertificate): TlsOptions {
  return trustedBy === undefined ? { fingerprint, insecure: false } : { insecure: false };
}

/**
 * Whether a text is the fingerprint of a certificate as people copy it: with or without colons, in small letters, with
 * `SHA256:` or `sha256 Fingerprint=` before it.
 */
export function isFingerprint({ fingerprint }: Pick<EndpointCertificate, "fingerprint">, text: string): boolean {
  const digits = (one: string) =>
    one
      .replace(/^\s*sha-?256(\s+fingerprint)?\s*[:=]\s*/i, "")
      .replace(/[\s:]/g, "")
      .toUpperCase();
  return digits(text) === digits(fingerprint);
}

/** The error for an endpoint that shows another certificate than the accepted one. */
export function certificateChanged(accepted: EndpointCertificate, found: string): SetupError {
  return new SetupError(
    "certificate-changed",
    `${accepted.endpoint} shows another certificate than a moment ago: found ${found}, accepted was ${accepted.fingerprint}. Either it was renewed just now, or several servers answer there, or somebody is in between`,
    ["Compare the fingerprint with node > System > Certificates of PVE's web interface, and start again."],
  );
}

/** The same for what a call threw; any other error is given back as it is. */
export async function explainConnection(error: unknown, accepted: EndpointCertificate): Promise<unknown> {
  if (!(error instanceof ConnectionError) || error.code !== "tls") return error;
  const { fingerprint } = await servedCertificate(accepted.endpoint);
  return fingerprint === accepted.fingerprint ? error : certificateChanged(accepted, fingerprint);
}

/** What the stack's `cluster.tls` needs from now on. */
export type Trust =
  /** Nothing: every machine with these CAs trusts it. */
  | { kind: "trusted"; by: "system" | "SSL_CERT_FILE" }
  /** The CA that signed it, for `tls.caFile`: it outlives the certificate. */
  | { kind: "ca"; pem: string; subject: string; fingerprint: string }
  /** The certificate itself, for `tls.caFile`: its CA is not to be had. It works until the certificate is renewed. */
  | { kind: "certificate"; pem: string; validTo: Date };

/**
 * Finds out what makes the accepted certificate trusted for Node and for the proxmoxve plugin: takes the cluster's CA from a
 * node, and makes sure that it signs what is served and that the certificate's names have the endpoint's host.
 *
 * @param client logged in, pinned to the accepted certificate
 * @throws SetupError `certificate-changed` if another one is served by now; `certificate` if its names do not have the host,
 * or if it is not valid now
 */
export async function settleTrust(client: PveClient, accepted: EndpointCertificate): Promise<Trust> {
  if (accepted.trustedBy === "system") return { kind: "trusted", by: "system" };
  const { endpoint, pem, validTo } = accepted;
  const verify = async (root: string): Promise<Verdict> => {
    const verdict = await verifiedBy(endpoint, root);
    if (verdict.fingerprint !== accepted.fingerprint) throw certificateChanged(accepted, verdict.fingerprint);
    return verdict;
  };
  // With itself as the root, whatever is wrong is wrong with the certificate.
  const { untrusted } = await verify(pem);
  // Node makes do with the name in the subject, Go does not.
  const unnamed = accepted.names.length === 0 ? WRONG_NAME : undefined;
  if (untrusted ?? unnamed) throw unusable(accepted, String(untrusted ?? unnamed));
  const ca = await clusterCa(client);
  if (ca && (await verify(ca.pem)).untrusted === undefined) return { kind: "ca", ...ca };
  return accepted.trustedBy ? { kind: "trusted", by: accepted.trustedBy } : { kind: "certificate", pem, validTo };
}

/** The CA that the cluster signs its nodes' certificates with; every node has it. */
async function clusterCa(
  client: PveClient,
): Promise<{ pem: string; subject: string; fingerprint: string } | undefined> {
  const nodes = (await listNodes(client)).filter(({ status }) => status === "online");
  for (const { node } of nodes) {
    try {
      const all = await listNodeCertificates(client, node);
      const pem = all.find(({ filename }) => filename === "pve-root-ca.pem")?.pem;
      if (!pem) continue;
      const { ca, subject, fingerprint256 } = new X509Certificate(pem);
      if (ca) return { pem: `${pem.trim()}\n`, subject: subject.split("\n").join(", "), fingerprint: fingerprint256 };
    } catch (error) {
      // The next node has it too.
      if (!(error instanceof ApiError)) throw error;
    }
  }
  return undefined;
}

const day = (date: Date) => date.toISOString().slice(0, 10);

const WRONG_NAME = "ERR_TLS_CERT_ALTNAME_INVALID";

/** Names that mean the node itself, and no other machine. */
const LOCAL = /^(localhost|127\.|::1$|0*:0*:0*:0*:0*:0*:0*:0*1$)/i;

function unusable({ endpoint, names, validFrom, validTo }: EndpointCertificate, why: string): SetupError {
  const { host, port } = hostOf(endpoint);
  const renew = "On the node: pvecm updatecerts --force, then systemctl restart pveproxy.";
  if (why === WRONG_NAME) {
    const others = names.filter((name) => !LOCAL.test(name) && !name.includes("*"));
    const text = `the certificate of ${endpoint} is not made out to ${host}, and a certificate is verified with its name; found ${list(names) || "no name"}`;
    return new SetupError(
      "certificate",
      text,
      others.length > 0
        ? [`Use one of these as the endpoint: ${others.map((name) => `https://${bracketed(name)}:${port}`).join(", ")}`]
        : [`Give ${host} a name in DNS or /etc/hosts that the certificate has, or make one that has it. ${renew}`],
    );
  }
  if (why === "CERT_HAS_EXPIRED")
    return new SetupError("certificate", `the certificate of ${endpoint} ended on ${day(validTo)}`, [renew]);
  if (why === "CERT_NOT_YET_VALID") {
    const text = `the certificate of ${endpoint} begins on ${day(validFrom)}; today is ${day(new Date())}`;
    return new SetupError("certificate", text, ["Look at the clocks of this machine and of the node."]);
  }
  return new SetupError("certificate", `the certificate of ${endpoint} cannot be trusted even by itself: ${why}`, [
    renew,
  ]);
}

const bracketed = (name: string) => (name.includes(":") ? `[${name}]` : name);
