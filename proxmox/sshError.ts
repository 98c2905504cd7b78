import { NETWORK_CODES, ProxmoxError } from "./errors.ts";
import type { HostKey } from "./hostKeys.ts";

export type SshCode =
  | "setup"
  | "key"
  | "agent"
  | "dns"
  | "refused"
  | "unreachable"
  | "timeout"
  | "known-hosts"
  | "pinned-key"
  | "auth"
  | "sftp";

/** Why a node could not be reached by SSH. */
export class SshError extends ProxmoxError {
  override name = "SshError";
  declare readonly code: SshCode;
}

/** A server has another host key than the config (`pinned-key`) or `~/.ssh/known_hosts` (`known-hosts`) says. */
export class HostKeyError extends SshError {
  override name = "HostKeyError";
  /** What the server shows; nothing if it has no key of the types that are expected. */
  readonly found: readonly HostKey[];
  /** The server's name in known_hosts, if that has to forget a key of it. */
  readonly forget: string | undefined;

  constructor(
    code: "known-hosts" | "pinned-key",
    message: string,
    { found, forget }: { found: readonly HostKey[]; forget: string | undefined },
  ) {
    super(code, message);
    this.found = found;
    this.forget = forget;
  }
}

const CODES: Record<string, SshCode> = NETWORK_CODES;

export type Ssh2Error = Error & { code?: unknown; level?: string };

/** What `ssh2` reports, in the terms of this module. */
export function sshError(
  error: Ssh2Error,
  { address, port, agent }: { address: string; port: number; agent?: string },
): SshError {
  const at = `${address}:${port}`;
  const code = CODES[String(error.code)];
  const options = { cause: error };
  if (error.level === "agent") return new SshError("agent", `the SSH agent at ${agent}: ${error.message}`, options);
  if (code === "dns") return new SshError("dns", `the host name ${address} cannot be resolved`, options);
  if (code === "refused") return new SshError("refused", `nothing listens on ${at}`, options);
  if (code === "unreachable") return new SshError("unreachable", `there is no route to ${at}`, options);
  if (code === "timeout" || error.level === "client-timeout")
    return new SshError("timeout", `${at} did not answer in time`, options);
  if (error.level === "client-authentication") return new SshError("auth", `${at} refused the login`, options);
  return new SshError("sftp", `${at}: ${error.message}`, options);
}
