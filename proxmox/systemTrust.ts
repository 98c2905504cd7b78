import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import tls from "node:tls";

/**
 * Verifies the certificate of an endpoint as a program does that trusts the CAs of the system and the file in
 * SSL_CERT_FILE alone: the proxmoxve plugin (written in Go) has no setting for a CA or a fingerprint.
 *
 * @returns why it is not trusted; undefined if it is
 */
export function verifiedBySystem(endpoint: string, env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const { hostname, port } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, "");
  const ca = [...tls.getCACertificates("system"), ...certificateFile(env.SSL_CERT_FILE)];
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host,
      port: Number(port || 443),
      ca,
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: false,
      timeout: 10_000,
    });
    socket.once("secureConnect", () => {
      resolve(socket.authorized ? undefined : String(socket.authorizationError));
      socket.destroy();
    });
    socket.once("timeout", () => socket.destroy(new Error(`${host} did not answer in time`)));
    socket.once("error", reject);
  });
}

function certificateFile(file: string | undefined): string[] {
  if (!file) return [];
  try {
    return [readFileSync(file, "utf8")];
  } catch {
    return [];
  }
}
