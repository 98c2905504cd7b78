import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where Go looks for the system's CAs, the first that there is. Folders it reads beside SSL_CERT_FILE in any case. */
const SYSTEM_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/pki/tls/cacert.pem",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/ssl/cert.pem",
  "/usr/local/etc/ssl/cert.pem",
  "/usr/local/share/certs/ca-root-nss.crt",
];

function readFile(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

const certificatesIn = (text: string): string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
const essence = (certificate: string) => certificate.replace(/\s+/g, "");

export interface BundleOptions {
  /** PEM file whose certificates are to be trusted. */
  file: string;
  /** Where the bundle goes. */
  bundle: string;
  /** SSL_CERT_FILE of the user, which stands for the system's. */
  own?: string | undefined;
  systemFiles?: readonly string[];
}

/**
 * What SSL_CERT_FILE has to be, so that Go trusts a file's certificates beside those that it trusts anyway: it takes the
 * variable's file in the place of the system's, so that both have to be in one.
 *
 * @returns undefined: the user's own SSL_CERT_FILE has them already, or the file cannot be read, which preflight will tell
 */
export function caBundle({ file, bundle, own, systemFiles = SYSTEM_FILES }: BundleOptions): string | undefined {
  const added = readFile(file);
  if (added === undefined) return undefined;
  const system = own ? readFile(own) : systemFiles.map(readFile).find((text) => text !== undefined);
  const known = new Set(certificatesIn(system ?? "").map(essence));
  if (own && certificatesIn(added).every((one) => known.has(essence(one)))) return undefined;
  const text = `${(system ?? "").trimEnd()}\n${added.trimEnd()}\n`.trimStart();
  if (readFile(bundle) !== text) {
    mkdirSync(dirname(bundle), { recursive: true });
    // Another command may read it right now.
    const unfinished = join(dirname(bundle), `.${process.pid}.pem`);
    writeFileSync(unfinished, text);
    renameSync(unfinished, bundle);
  }
  return bundle;
}
