import { keyText } from "../../../../proxmox/hostKeys.ts";
import type { NodeFolder } from "../../../../proxmox/nodeFolder.ts";
import { HostKeyError, type SshCode, SshError } from "../../../../proxmox/sshError.ts";
import type { Facts } from "../../facts.ts";
import { type Check, each, type Finding, fail, NotAsked, note, orPass, pass, warn } from "../../finding.ts";
import { snippetNodes } from "../../needs.ts";

/** The snippets folder of a node, for checks that leave the login to `ssh-login`. */
export async function snippetsFolderOf(facts: Facts, node: string): Promise<NodeFolder> {
  try {
    return await facts.snippetsFolder(node);
  } catch (error) {
    throw error instanceof SshError ? new NotAsked(`SSH to node ${node} does not work, see ssh-login`) : error;
  }
}

const PATHS: Partial<Record<SshCode, string>> = {
  setup: "cluster.ssh",
  key: "cluster.ssh.privateKeyFile",
  agent: "cluster.ssh",
  auth: "cluster.ssh",
};

function todo(code: SshCode, node: string, user: string): string {
  switch (code) {
    case "setup":
      return `ssh: { username: root, privateKeyFile: ~/.ssh/id_ed25519, nodes: { ${node}: { address: <address> } } }`;
    case "key":
      return "Name a private key without passphrase, or leave privateKeyFile out and load the key into the SSH agent.";
    case "agent":
      return "Start the agent and load the key into it (eval $(ssh-agent) && ssh-add), or name a privateKeyFile.";
    case "auth":
      return `Add the public key to the authorized_keys of ${user} on ${node}: ssh-copy-id ${user}@<address of ${node}>`;
    default:
      return `Set cluster.ssh.nodes.${node} to the address and port where this machine reaches the node's SSH server.`;
  }
}

/** Where a node's host key stands in the config, or is to. */
const pinPath = ({ fleet }: Facts, node: string): string =>
  fleet.cluster.ssh?.hostKey && !fleet.cluster.ssh.nodes[node]?.hostKey
    ? "cluster.ssh.hostKey"
    : `cluster.ssh.nodes.${node}.hostKey`;

const showKeys = (node: string) => `On ${node}: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub (or _ecdsa_, _rsa_)`;

/** What to do about a host key that has changed. */
function hostKeyTodo({ code, found: [key], forget }: HostKeyError, node: string, path: string): string[] {
  const pin = code === "pinned-key" && key ? [`${path}: "${key.fingerprint}"`] : [];
  // The brackets would be a pattern to the shell.
  const known = forget === undefined ? [] : [`ssh-keygen -R ${forget.startsWith("[") ? `'${forget}'` : forget}`];
  return [
    `${showKeys(node)}. If it shows another key than the one found, somebody else answers: find out who.`,
    `If it is the node's own: ${[...pin, ...known].join(", and ")}`,
  ];
}

/** What is to be known of the host key with which a node let us in. */
function hostKeyFindings({ login, onTrust, remembered }: NodeFolder, node: string, path: string): Finding[] {
  if (remembered)
    return [
      note(`the host key of ${node} is the pinned one, and was added to ~/.ssh/known_hosts for the proxmoxve plugin`),
    ];
  if (!onTrust) return [];
  return [
    warn(
      `neither the config nor ~/.ssh/known_hosts has the host key of ${login}; ${keyText(onTrust)} is taken on trust`,
      {
        path,
        todo: [`${showKeys(node)}. If it shows the same, pin it: ${path}: "${onTrust.fingerprint}"`],
      },
    ),
  ];
}

/** The SSH login for snippets works. */
export const sshLogin: Check = {
  id: "ssh-login",
  group: "permissions",
  async run(facts) {
    const user = facts.fleet.cluster.ssh?.username ?? "root";
    return each(snippetNodes(facts.fleet), async (node): Promise<Finding[]> => {
      const pin = pinPath(facts, node);
      try {
        const folder = await facts.snippetsFolder(node);
        return [pass(`SSH to ${node} as ${folder.login}`), ...hostKeyFindings(folder, node, pin)];
      } catch (error) {
        if (!(error instanceof SshError)) throw error;
        if (error instanceof HostKeyError) {
          const path = error.code === "pinned-key" ? pin : `cluster.ssh.nodes.${node}`;
          const message = `SSH to node ${node}: ${error.message}`;
          return [fail(message, { path, todo: hostKeyTodo(error, node, pin), cause: error })];
        }
        return [
          fail(`SSH to node ${node} as ${user}: ${error.message}`, {
            path: PATHS[error.code] ?? `cluster.ssh.nodes.${node}`,
            todo: [todo(error.code, node, user)],
            cause: error,
          }),
        ];
      }
    });
  },
};

/** A file can be made in the snippets folder. An empty one is made and removed at once: nothing else proves it. */
export const snippetsWritable: Check = {
  id: "snippets-writable",
  group: "permissions",
  async run(facts) {
    const nodes = snippetNodes(facts.fleet);
    if (nodes.length === 0) return [];
    const problems = await each(nodes, async (node): Promise<Finding[]> => {
      const { login, folder, exists, notWritable } = await snippetsFolderOf(facts, node);
      if (!exists || notWritable === undefined) return [];
      const user = login.slice(0, login.lastIndexOf("@"));
      return [
        fail(`${login} cannot write to ${folder}: ${notWritable}`, {
          path: "cluster.ssh.username",
          todo: [`On ${node}: setfacl -m u:${user}:rwx ${folder} (or chown, or another username; root is not needed)`],
        }),
      ];
    });
    return orPass(problems, "the snippets folder is writable");
  },
};
