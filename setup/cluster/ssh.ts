import type { PveClient } from "../../proxmox/client.ts";

/** An SSH server's host key as it was shown; nobody has verified it. */
export interface ShownHostKey {
  /** `ssh-ed25519` */
  type: string;
  /** `SHA256:…`, as ssh shows it. */
  fingerprint: string;
  /** `ssh-ed25519 AAAA…`: for `ssh.hostKey` of the config. */
  line: string;
}

export interface NodeSsh {
  node: string;
  address: string;
  port: number;
  keys: ShownHostKey[];
  /** What `~/.ssh/known_hosts` says of the server. */
  known: "known" | "unknown" | "changed";
  /** Lines for `~/.ssh/known_hosts`. */
  knownHostsLines: string[];
}

/**
 * The SSH server of a node: its address as the API names it (or the given one), its host keys, and whether they are known.
 *
 * @throws SshError if no SSH server answers
 */
export function lookAtNodeSsh(
  _client: PveClient,
  _node: string,
  _given: { address?: string; port?: number } = {},
): Promise<NodeSsh> {
  throw new Error("not there yet");
}

/** Adds the lines to `~/.ssh/known_hosts`. What is in there stays; a server with another key there is left alone. */
export function rememberNodeSsh(_ssh: NodeSsh): void {
  throw new Error("not there yet");
}

/**
 * Tries the login on a node, as the upload of snippets will be: reaches the folder, and makes and removes a file in it.
 *
 * @returns undefined if it works, else why not, in one sentence
 */
export function trySshLogin(
  _ssh: Pick<NodeSsh, "address" | "port" | "keys">,
  _login: { username: string; privateKeyFile?: string },
  _folder: string,
): Promise<string | undefined> {
  throw new Error("not there yet");
}
