import { isIP } from "node:net";
import { SetupError } from "./error.ts";

const PORT = 8006;
const EXPECTED = "expected a host name or an address, for example pve1.example.net or 10.0.0.11:8006";

/**
 * The URL of a cluster's API from what people type or paste: `pve1`, `pve1:8006`, `10.0.0.11`, `fd00::11`, `[fd00::11]:8006`,
 * `https://pve1.example.net:8006/#v1:0:18`. The port is 8006 unless one is given: behind a proxy, add `:443`.
 *
 * @returns `https://host:port`
 * @throws SetupError `endpoint`
 */
export function normaliseEndpoint(text: string): string {
  const typed = text.trim();
  const fail = (why: string) => new SetupError("endpoint", `found "${typed}"; ${why}`);
  if (typed === "") throw new SetupError("endpoint", `found nothing; ${EXPECTED}`);
  const [, scheme = "https", rest = ""] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(typed) ?? [];
  if (scheme.toLowerCase() !== "https")
    throw fail(`PVE's API speaks HTTPS alone; expected https:// in place of ${scheme}://`);
  // What the address bar has behind the host is PVE's web interface.
  const [authority = "", path = ""] = /^([^/?#]*)\/?([^?#]*)/.exec(rest)?.slice(1) ?? [];
  if (path !== "") throw fail("expected host and port alone, without a path");
  if (authority.includes("@")) throw fail("expected no user here: the login is asked for separately");
  const { host, port } = hostAndPort(authority);
  if (port !== undefined && !(Number(port) >= 1 && Number(port) <= 65535))
    throw fail(`"${port}" is no port; expected a number from 1 to 65535`);
  if (host.includes("%")) throw fail("an address with a zone works on this machine alone; expected another one");
  let url: URL;
  try {
    url = new URL(`https://${isIP(host) === 6 ? `[${host}]` : host}`);
  } catch {
    throw fail(EXPECTED);
  }
  const isHost = isIP(host) !== 0 || (/^[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*\.?$/u.test(host) && !/^[\d.]+$/.test(host));
  if (!isHost) throw fail(EXPECTED);
  return `https://${url.hostname}:${Number(port ?? PORT)}`;
}

function hostAndPort(authority: string): { host: string; port: string | undefined } {
  if (isIP(authority) === 6 || authority.includes("%")) return { host: authority, port: undefined };
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::([^:]*))?$/.exec(authority) ?? [];
  return { host: bracketed ?? plain ?? authority, port };
}
