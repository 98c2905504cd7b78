import type { PveClient } from "../../proxmox/client.ts";
import type { TlsOptions } from "../../proxmox/tls.ts";

/** The certificate that an endpoint serves; nothing of it is verified but `trustedBy`. */
export interface EndpointCertificate {
  /** `https://host:port` */
  endpoint: string;
  /** SHA-256, `AA:BB:…`, as PVE shows it at node > System > Certificates. */
  fingerprint: string;
  /** `CN=pve1.example.net, O=…` in one line. */
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
  /** Why nobody does. */
  untrusted?: string;
  /** The certificate itself. */
  pem: string;
}

/**
 * Fetches the certificate of an endpoint, without trusting it.
 *
 * @throws ConnectionError if nobody answers there with TLS
 */
export function lookAtEndpoint(_endpoint: string, _env: NodeJS.ProcessEnv = process.env): Promise<EndpointCertificate> {
  throw new Error("not there yet");
}

/** How every call is verified once the user has accepted the certificate: by its fingerprint, or, if it is trusted already, as usual. */
export function tlsFor(_accepted: EndpointCertificate): TlsOptions {
  throw new Error("not there yet");
}

/** A fingerprint as people copy it: with or without colons, in small letters, with `sha256:` or `SHA256 Fingerprint=` before it. */
export function isFingerprint(_certificate: Pick<EndpointCertificate, "fingerprint">, _text: string): boolean {
  throw new Error("not there yet");
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
 * or if it has ended
 */
export function settleTrust(_client: PveClient, _accepted: EndpointCertificate): Promise<Trust> {
  throw new Error("not there yet");
}
