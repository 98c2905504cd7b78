import { lookup } from "node:dns/promises";
import { readLocalFile } from "../../config/files.ts";
import { addressOf } from "../../providers/preflight/sshTarget.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { listInterfaces } from "../../proxmox/cluster.ts";
import { type HostKey, scanHostKeys } from "../../proxmox/hostKeys.ts";
import { knownHostKeys, knownHostsName, readKnownHosts, rememberHostKey } from "../../proxmox/knownHosts.ts";
import { probeFolder } from "../../proxmox/nodeFolder.ts";
import { SshError } from "../../proxmox/sshError.ts";
import { SetupError } from "./error.ts";

/** An SSH server's host key as it was shown; nobody has verified it. */
export type ShownHostKey = HostKey;

export interface NodeSsh {
  node: string;
  address: string;
  port: number;
  /** Ed25519 first. */
  keys: ShownHostKey[];
  /** What `~/.ssh/known_hosts` says of the server. */
  known: "known" | "unknown" | "changed";
  /** Those of its keys that are in there. */
  knownKeys: ShownHostKey[];
  /** Lines for `~/.ssh/known_hosts`. */
  knownHostsLines: string[];
}

/**
 * The SSH server of a node: its address as the API names it (or the given one), its host keys, and whether they are known.
 *
 * @throws SshError if no SSH server answers, or the address is not known
 */
export async function lookAtNodeSsh(
  client: PveClient,
  node: string,
  given: { address?: string; port?: number } = {},
): Promise<NodeSsh> {
  const address = given.address ?? addressOf(await listInterfaces(client, node)) ?? (await resolve(node));
  const port = given.port ?? 22;
  const keys = await scanHostKeys(address, port);
  const name = knownHostsName(address, port);
  const expected = knownHostKeys(readKnownHosts(), address, port);
  const knownKeys = keys.filter(({ line }) => expected.some((key) => key.line === line));
  const known = expected.length === 0 ? "unknown" : knownKeys.length > 0 ? "known" : "changed";
  return { node, address, port, keys, known, knownKeys, knownHostsLines: keys.map(({ line }) => `${name} ${line}`) };
}

async function resolve(node: string): Promise<string> {
  try {
    return (await lookup(node)).address;
  } catch {
    throw new SshError("setup", `the address of node ${node} is not known to the API, nor to DNS`);
  }
}

/**
 * Adds the host keys to `~/.ssh/known_hosts`. What is in there stays.
 *
 * @throws SetupError `exists` if it has another key for the server
 */
export function rememberNodeSsh({ address, port, keys, known }: NodeSsh): void {
  if (known === "changed") {
    const name = knownHostsName(address, port);
    throw new SetupError(
      "exists",
      `~/.ssh/known_hosts has another key for ${name}: the node was reinstalled, or somebody else answers in its place`,
      [`If it was reinstalled: ssh-keygen -R '${name}'`],
    );
  }
  if (known === "known") return;
  for (const key of keys) rememberHostKey(address, port, key);
}

/**
 * Tries the login on a node, as the upload of snippets will be: reaches the folder, and makes and removes a file in it. The
 * server must show one of the given host keys. Nothing is written on this machine.
 *
 * @returns undefined if it works, else why not, in one sentence
 */
export async function trySshLogin(
  { address, port, keys }: Pick<NodeSsh, "address" | "port" | "keys">,
  { username, privateKeyFile }: { username: string; privateKeyFile?: string },
  folder: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const agent = env.SSH_AUTH_SOCK;
  const read = privateKeyFile === undefined ? undefined : readLocalFile(privateKeyFile);
  if (read && "reason" in read) return `${privateKeyFile}: ${read.reason}`;
  if (!read && !agent) return "there is neither a private key nor an SSH agent (SSH_AUTH_SOCK is not set)";
  const credentials = read ? { privateKey: read.text } : { agent: agent as string };
  const hostKeys = keys.map(({ fingerprint }) => fingerprint);
  try {
    const { exists, notWritable } = await probeFolder({
      address,
      port,
      username,
      folder,
      hostKeys,
      remember: false,
      ...credentials,
    });
    if (!exists) return `there is no folder ${folder} on ${address}`;
    return notWritable === undefined
      ? undefined
      : `${username} cannot write to ${folder} on ${address}: ${notWritable}`;
  } catch (error) {
    if (error instanceof SshError) return error.message;
    throw error;
  }
}
