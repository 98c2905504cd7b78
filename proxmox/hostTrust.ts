import { type HostKey, isPinned, keyText, scanHostKeys } from "./hostKeys.ts";
import { hostKeyVerdict, knownHostKeys, knownHostsName, readKnownHosts, rememberHostKey } from "./knownHosts.ts";
import { HostKeyError } from "./sshError.ts";

/** An SSH server, and which keys it may show. */
export interface SshHost {
  address: string;
  port: number;
  /** Its host keys by the config, `SHA256:…` or `ssh-ed25519 AAAA…`; without any, known_hosts says. */
  hostKeys?: readonly string[];
  /** `false`: a pinned key is not added to `~/.ssh/known_hosts`. */
  remember?: boolean;
}

const REASON = "the node was reinstalled, or somebody else answers in its place";

const list = (keys: readonly HostKey[]) => keys.map(keyText).join(", ");

const isIn = (keys: readonly HostKey[], { line }: HostKey) => keys.some((key) => key.line === line);

/** What a server's host key is held against. */
export class HostTrust {
  readonly #host: SshHost;
  readonly #text: string;
  /** Keys that will do; empty if the server is not known, and any will. */
  readonly expected: readonly HostKey[];
  /** The pinned key, if known_hosts did not have it until now. */
  readonly remembered: HostKey | undefined;

  constructor(host: SshHost, text: string, expected: readonly HostKey[], remembered?: HostKey) {
    this.#host = host;
    this.#text = text;
    this.expected = expected;
    this.remembered = remembered;
  }

  /** Types of the keys that will do, so that the server is asked for one of them. */
  get types(): string[] {
    return [...new Set(this.expected.map(({ type }) => type))];
  }

  /** Whether the server may show this key. */
  accepts(key: HostKey): boolean {
    const { address, port } = this.#host;
    if (hostKeyVerdict(this.#text, address, port, key) === "changed") return false;
    return this.expected.length === 0 || isIn(this.expected, key);
  }

  /** The error for a server that shows another key, or has none of the types that are expected. */
  refusal(found: readonly HostKey[]): HostKeyError {
    const { address, port, hostKeys = [] } = this.#host;
    const shown = list(found) || `none of type ${this.types.join(", ")}`;
    const wanted = list(this.expected) || "any other, as this one is marked @revoked there";
    const by = hostKeys.length > 0 ? "that the config pins" : "in ~/.ssh/known_hosts";
    return new HostKeyError(
      hostKeys.length > 0 ? "pinned-key" : "known-hosts",
      `the host key of ${address}:${port} is not the one ${by}: found ${shown}, expected ${wanted}: ${REASON}`,
      { found, forget: this.remembered ? undefined : knownHostsName(address, port) },
    );
  }
}

/**
 * Finds out which keys a server may show: those that the config pins, else those in `~/.ssh/known_hosts`.
 *
 * The proxmoxve plugin goes by known_hosts alone, and lets in whoever is not there. So a pinned key is added to it once the
 * server has shown it. Nothing is ever taken away from there: if it has another key for the server, that is an error.
 *
 * @throws HostKeyError if the server has no pinned key, or known_hosts has another one
 * @throws SshError if no SSH server answers
 */
export async function trustOf(host: SshHost): Promise<HostTrust> {
  const { address, port, hostKeys: pins = [] } = host;
  const text = readKnownHosts();
  const known = knownHostKeys(text, address, port);
  if (pins.length === 0) return new HostTrust(host, text, known);
  const right = known.filter((key) => isPinned(pins, key));
  if (right.length > 0) return new HostTrust(host, text, right);

  const served = await scanHostKeys(address, port);
  const pinned = served.find((key) => isPinned(pins, key));
  const changed = served.filter((key) => known.some(({ type }) => type === key.type) && !isIn(known, key));
  const forget = changed.length > 0 ? knownHostsName(address, port) : undefined;
  if (!pinned)
    throw new HostKeyError(
      "pinned-key",
      `the host key of ${address}:${port} is not the one that the config pins: found ${list(served) || "none"}, expected ${pins.join(", ")}: ${REASON}`,
      { found: served, forget },
    );
  if (forget !== undefined)
    throw new HostKeyError(
      "known-hosts",
      `the host key of ${address}:${port} is the one that the config pins, ${keyText(pinned)}, but ~/.ssh/known_hosts, which the proxmoxve plugin goes by, says ${list(known)}`,
      { found: [pinned], forget },
    );
  if (host.remember === false) {
    const line = `${knownHostsName(address, port)} ${pinned.line}`;
    return new HostTrust(host, `${text}\n${line}\n`, [pinned]);
  }
  rememberHostKey(address, port, pinned);
  return new HostTrust(host, readKnownHosts(), [pinned], pinned);
}
