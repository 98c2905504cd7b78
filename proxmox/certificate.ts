import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import tls from "node:tls";
import { connectionError } from "./connectionError.ts";

/** The certificate that an endpoint serves, whoever signed it. */
export interface ServedCertificate {
  /** SHA-256, `AA:BB:…` in upper case, as PVE shows it. */
  fingerprint: string;
  /** The certificate itself, without those that signed it. */
  pem: string;
  /** Host names and addresses that it is made out to. */
  names: string[];
  /** Whether it is made out to the endpoint's host. */
  isForHost: boolean;
  /** When it ends. */
  validTo: Date;
}

/** Host name or address of an endpoint, an IPv6 address without brackets, and its port. */
export function hostOf(endpoint: string): { host: string; port: number } {
  const { hostname, port } = new URL(endpoint);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 443) };
}

/**
 * Opens a TLS connection to an endpoint, whoever answers, and looks at it.
 *
 * @param options for the verification, of which the socket tells the outcome
 * @throws ConnectionError if none comes about
 */
export function lookAt<T>(
  endpoint: string,
  options: tls.ConnectionOptions,
  look: (socket: tls.TLSSocket) => T,
): Promise<T> {
  const { host, port } = hostOf(endpoint);
  return new Promise<T>((resolve, reject) => {
    const socket = tls.connect({
      ...options,
      host,
      port,
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: false,
      timeout: 10_000,
    });
    socket.once("secureConnect", () => {
      try {
        resolve(look(socket));
      } catch (error) {
        reject(error);
      }
      socket.destroy();
    });
    socket.once("timeout", () => {
      socket.destroy(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }));
    });
    socket.once("error", (error) => reject(connectionError(error, endpoint)));
  });
}

/** `DNS:pve1.example.net, IP Address:10.0.0.11`; what is in quotes is no usual name, and is left out. */
function namesOf({ subjectAltName = "" }: X509Certificate): string[] {
  return subjectAltName.split(", ").flatMap((name) => /^(?:DNS|IP Address):([^"]+)$/.exec(name)?.[1] ?? []);
}

/**
 * Asks an endpoint for its certificate. Nothing is verified: that is up to whoever compares the fingerprint.
 *
 * @param endpoint `https://host:port`
 * @throws ConnectionError if nobody answers with TLS
 */
export function servedCertificate(endpoint: string): Promise<ServedCertificate> {
  const { host } = hostOf(endpoint);
  return lookAt(endpoint, {}, (socket) => {
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) throw connectionError(new Error("it shows no certificate"), endpoint);
    return {
      fingerprint: certificate.fingerprint256,
      pem: certificate.toString(),
      names: namesOf(certificate),
      isForHost:
        (isIP(host) === 0 ? certificate.checkHost(host, { subject: "never" }) : certificate.checkIP(host)) !==
        undefined,
      validTo: certificate.validToDate,
    };
  });
}
