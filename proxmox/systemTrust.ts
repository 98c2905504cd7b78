import { readFileSync } from "node:fs";
import tls from "node:tls";
import { lookAt } from "./certificate.ts";

/**
 * Verifies the certificate of an endpoint as a program does that trusts the CAs of the system and the file in
 * SSL_CERT_FILE alone: the proxmoxve plugin (written in Go) has no setting for a CA or a fingerprint.
 *
 * On macOS and Windows, Go asks the system alone.
 *
 * @returns why it is not trusted; undefined if it is
 */
export function verifiedBySystem(
  endpoint: string,
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): Promise<string | undefined> {
  const file = platform === "darwin" || platform === "win32" ? undefined : env.SSL_CERT_FILE;
  const secureContext = tls.createSecureContext({
    ca: [...tls.getCACertificates("system"), ...certificateFile(file)],
    // For Go, whatever is in the list is trusted, be it a CA, one between, or the certificate itself.
    allowPartialTrustChain: true,
  });
  return lookAt(endpoint, { secureContext }, ({ authorized, authorizationError }) =>
    authorized ? undefined : String(authorizationError),
  );
}

function certificateFile(file: string | undefined): string[] {
  if (!file) return [];
  try {
    return [readFileSync(file, "utf8")];
  } catch {
    return [];
  }
}
