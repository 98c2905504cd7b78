import { type ConnectionCode, ConnectionError, NETWORK_CODES } from "./errors.ts";

const CODES: Record<string, ConnectionCode> = {
  ...NETWORK_CODES,
  UND_ERR_CONNECT_TIMEOUT: "timeout",
  UND_ERR_HEADERS_TIMEOUT: "timeout",
  UND_ERR_BODY_TIMEOUT: "timeout",
  // What a server says that does not speak TLS.
  ERR_SSL_WRONG_VERSION_NUMBER: "not-pve",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "not-pve",
};

/** What `undici` or a TLS socket throws, in the terms of this module; whatever is not known better is a connection that broke. */
export function connectionError(error: unknown, endpoint: string): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const { code = "", name, message } = error as NodeJS.ErrnoException;
  const { host, hostname } = new URL(endpoint);
  const untrusted = /CERT|SELF_SIGNED|UNABLE_TO|^ERR_(TLS|SSL)/.test(code) ? "tls" : undefined;
  const kind = CODES[code] ?? (name === "HTTPParserError" ? "not-pve" : (untrusted ?? "dropped"));
  const texts: Record<ConnectionCode, string> = {
    dns: `the host name ${hostname} cannot be resolved`,
    refused: `${host} refused the connection: nothing listens there`,
    unreachable: `there is no route to ${host}`,
    timeout: `${host} did not answer in time`,
    dropped: `the connection to ${host} broke off: ${message}`,
    tls: `the certificate of ${host} is not trusted: ${message}`,
    "not-pve": `${host} does not speak HTTPS; the PVE API is on port 8006 unless a proxy stands before it`,
  };
  return new ConnectionError(kind, texts[kind], { cause: error });
}
