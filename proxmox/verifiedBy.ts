import tls from "node:tls";
import { lookAt } from "./certificate.ts";

/** How the certificate of an endpoint fares with one root alone. */
export interface Verdict {
  /** SHA-256 fingerprint of the certificate that was looked at. */
  fingerprint: string;
  /** Why it is not trusted, in OpenSSL's or Node's word, such as `ERR_TLS_CERT_ALTNAME_INVALID`; undefined if it is. */
  untrusted?: string;
}

/**
 * Verifies the certificate of an endpoint, its host name too, with one certificate as the only root: a CA, or the served
 * certificate itself.
 */
export function verifiedBy(endpoint: string, pem: string): Promise<Verdict> {
  // For Go, whatever is in the list is trusted, be it a CA or the certificate itself.
  const secureContext = tls.createSecureContext({ ca: [pem], allowPartialTrustChain: true });
  return lookAt(endpoint, { secureContext }, (socket) => ({
    fingerprint: socket.getPeerCertificate().fingerprint256,
    ...(!socket.authorized && { untrusted: String(socket.authorizationError) }),
  }));
}
