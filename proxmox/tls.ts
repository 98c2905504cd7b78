import { readFileSync } from "node:fs";
import tls from "node:tls";
import { Agent, buildConnector } from "undici";
import { ConnectionError } from "./errors.ts";

/** How the API's certificate is verified. */
export interface TlsOptions {
  /** Absolute path of a PEM file with the CA that signed the certificate. */
  caFile?: string;
  /** SHA-256 fingerprint of the certificate itself, `AA:BB:…`. */
  fingerprint?: string;
  /** Do not verify at all. */
  insecure: boolean;
}

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

/** Keep-alive connections to the API. */
export function dispatcher(options: TlsOptions): Agent {
  const timeouts = { connectTimeout: 10_000, headersTimeout: 60_000, bodyTimeout: 60_000 };
  if (options.insecure) return new Agent({ ...timeouts, connect: { rejectUnauthorized: false } });
  const { fingerprint } = options;
  if (fingerprint === undefined) return new Agent({ ...timeouts, connect: { ca: trusted(options) } });

  const open = buildConnector({ rejectUnauthorized: false, timeout: timeouts.connectTimeout });
  return new Agent({
    ...timeouts,
    connect: (target, done) =>
      open(target, (...[error, socket]) => {
        if (error) return done(error, null);
        const found = socket instanceof tls.TLSSocket ? socket.getPeerCertificate().fingerprint256 : undefined;
        if (found?.toUpperCase() === fingerprint.toUpperCase()) return done(null, socket);
        socket.destroy();
        done(
          new ConnectionError("tls", `the certificate's fingerprint is ${found}, the config has ${fingerprint}`),
          null,
        );
      }),
  });
}
