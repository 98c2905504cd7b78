import { lookup } from "node:dns/promises";
import ssh2 from "ssh2";
import { readLocalFile } from "../../config/files.ts";
import type { NetworkInterface } from "../../proxmox/cluster.ts";
import type { SshTarget } from "../../proxmox/nodeFolder.ts";
import { SshError } from "../../proxmox/sshError.ts";
import type { Facts } from "./facts.ts";
import { NotAsked } from "./finding.ts";

/** The node's own address as the proxmoxve plugin finds it: where the default gateway is, else the first there is. */
export function addressOf(interfaces: readonly NetworkInterface[]): string | undefined {
  return (
    interfaces.find(({ gateway, address }) => gateway && address)?.address ??
    interfaces.find(({ gateway6, address6 }) => gateway6 && address6)?.address6 ??
    interfaces.find(({ address }) => address)?.address
  );
}

type Credentials = Pick<SshTarget, "username" | "privateKey" | "agent" | "password">;

function credentials({ fleet, login }: Facts, env: NodeJS.ProcessEnv): Credentials {
  const { ssh } = fleet.cluster;
  // The plugin takes the API's password for SSH, where both are the same Linux user's.
  const own =
    login.kind === "password" && login.username.endsWith("@pam")
      ? { username: login.username.slice(0, -"@pam".length), password: login.password }
      : undefined;
  if (!ssh) {
    if (own) return own;
    throw new SshError(
      "setup",
      "missing, but snippets can be uploaded by SSH only; expected at least username and privateKeyFile",
    );
  }
  const { username, privateKeyFile } = ssh;
  if (privateKeyFile === undefined) {
    const agent = env.SSH_AUTH_SOCK;
    if (agent) return { username, agent };
    if (own?.username === username) return own;
    throw new SshError("setup", "there is neither privateKeyFile nor an SSH agent (SSH_AUTH_SOCK is not set)");
  }
  const read = readLocalFile(privateKeyFile);
  if ("reason" in read) throw new NotAsked("the private key cannot be read, see config");
  const parsed = ssh2.utils.parseKey(read.text);
  if (parsed instanceof Error) {
    const encrypted = /passphrase|encrypted/i.test(parsed.message);
    throw new SshError(
      "key",
      encrypted
        ? `"${privateKeyFile}" is encrypted with a passphrase; expected an unencrypted key, or the SSH agent (leave privateKeyFile out)`
        : `"${privateKeyFile}" is not a private key`,
    );
  }
  const [first] = Array.isArray(parsed) ? parsed : [parsed];
  if (!first?.isPrivateKey())
    throw new SshError("key", `"${privateKeyFile}" is a public key; expected the private one, without .pub`);
  return { username, privateKey: read.text };
}

/** How the snippets reach a node, as the proxmoxve plugin does it. */
export async function sshTargetOf(
  facts: Facts,
  node: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<SshTarget> {
  const own = credentials(facts, env);
  const { datastores, ssh } = facts.fleet.cluster;
  const datastore = (await facts.datastoreConfigs()).find(({ storage }) => storage === datastores.snippets);
  if (!datastore) throw new NotAsked(`datastore ${datastores.snippets} cannot be seen, see datastore-exists`);
  if (!datastore.path)
    throw new NotAsked(`datastore ${datastores.snippets} has no folder (type ${datastore.type}), see snippets-folder`);
  const configured = ssh?.nodes[node];
  const address = configured?.address ?? addressOf(await facts.interfaces(node)) ?? (await resolve(node));
  const hostKeys = configured?.hostKey ?? ssh?.hostKey;
  return {
    ...own,
    address,
    port: configured?.port ?? 22,
    ...(hostKeys && { hostKeys }),
    folder: `${datastore.path}/snippets`,
  };
}

async function resolve(node: string): Promise<string> {
  try {
    return (await lookup(node)).address;
  } catch {
    throw new SshError("setup", `the address of node ${node} is not known; name it in ssh.nodes.${node}.address`);
  }
}
