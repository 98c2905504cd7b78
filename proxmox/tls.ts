import { readFileSync } from "node:fs";
import tls from "node:tls";
import { Agent, buildConnector } from "undici";
import { ConnectionError } from "./errors.ts";

/** How the API's certificate is verified. */
export interface TlsOptions {
  /** Absolute path of a PEM file with the CA that signed the certificate, or with the certificate itself. */
  caFile?: string;
  /** SHA-256 fingerprint of the certificate itself, `AA:BB:…`. */
  fingerprint?: string;
  /** Do not verify at all. */
  insecure: boolean;
}

// PVE says much in the reason phrase, which HTTP/2 (of a proxy before it) does not have.
const COMMON = { connectTimeout: 10_000, headersTimeout: 60_000, bodyTimeout: 60_000, allowH2: false };

/** The CAs of Node and of the system, SSL_CERT_FILE (as the proxmoxve plugin takes it), and the one of the config. */
function trusted({ caFile }: TlsOptions): string[] {
  const files = [caFile, process.env.SSL_CERT_FILE].filter((file) => file !== undefined && file !== "");
  return [
    ...tls.getCACertificates("default"),
    ...tls.getCACertificates("system"),
    ...files.flatMap((file) => {
      try {
        return [readFileSync(file as string, "utf8")];
      } catch {
        return [];
      }
    }),
  ];
}

/** Connects to whoever shows the certificate of this fingerprint; who signed it does not matter. */
function pinned(fingerprint: string): buildConnector.connector {
  const open = buildConnector({
    rejectUnauthorized: false,
    timeout: COMMON.connectTimeout,
    allowH2: false,
    // A resumed TLS session shows no certificate.
    maxCachedSessions: 0,
  });
  return (target, done) =>
    open(target, (...[error, socket]) => {
      if (error) return done(error, null);
      const found = socket instanceof tls.TLSSocket ? socket.getPeerCertificate().fingerprint256 : undefined;
      if (found?.toUpperCase() === fingerprint.toUpperCase()) return done(null, socket);
      socket.destroy();
      const text = `the certificate of ${target.host} has the fingerprint ${found}, the config says ${fingerprint}`;
      done(new ConnectionError("tls", text), null);
    });
}

/**
 * Keep-alive connections to the API. They are direct: HTTPS_PROXY is for the way out of a site, and a cluster is inside.
 * A connection that is not in use does not keep the process running.
 */
export function dispatcher(options: TlsOptions): Agent {
  if (options.insecure) return new Agent({ ...COMMON, connect: { rejectUnauthorized: false } });
  const { fingerprint } = options;
  if (fingerprint) return new Agent({ ...COMMON, connect: pinned(fingerprint) });
  // With a list of CAs, each new connection would parse all of them again.
  const ca = [...new Set(trusted(options))];
  // The file may hold the certificate itself in place of its CA: for the plugin that is enough too.
  const secureContext = tls.createSecureContext({ ca, allowPartialTrustChain: true });
  return new Agent({ ...COMMON, connect: { secureContext } });
}
