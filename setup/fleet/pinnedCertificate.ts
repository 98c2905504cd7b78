import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ServedCertificate, servedCertificate } from "../../proxmox/certificate.ts";
import { ConnectionError } from "../../proxmox/errors.ts";

/** Compares what is served with `tls.fingerprint` of the stack. */
function compare(endpoint: string, fingerprint: string, { fingerprint: found }: ServedCertificate): void {
  if (found === fingerprint.toUpperCase()) return;
  throw new ConnectionError(
    "tls",
    `cluster.tls.fingerprint: found ${found} at ${endpoint}, expected ${fingerprint.toUpperCase()}. ` +
      "If the certificate was renewed (node > System > Certificates), set the new fingerprint; if not, find out who answers there.",
  );
}

/**
 * Fetches the certificate of a stack with `tls.fingerprint`, holds it against the fingerprint, and writes it to a file for
 * SSL_CERT_FILE. With that, the proxmoxve plugin trusts this certificate beside the system's CAs, as long as it is made out to
 * the endpoint's host and has not ended. Each time anew: the plugin's own words would not say that it has changed.
 *
 * @param root the checkout, which keeps the file below `.fleet`
 * @returns the file's path, named after the fingerprint
 * @throws ConnectionError `tls` with what was found and expected; another code if nobody answers
 */
export async function pinnedCertificate(root: string, endpoint: string, fingerprint: string): Promise<string> {
  const served = await servedCertificate(endpoint);
  compare(endpoint, fingerprint, served);
  const folder = join(root, ".fleet", "certificates");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${served.fingerprint.replaceAll(":", "").toLowerCase()}.pem`);
  writeFileSync(file, served.pem);
  return file;
}
