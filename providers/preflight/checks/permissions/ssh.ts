import { type NodeFolder, type SshCode, SshError } from "../../../../proxmox/nodeFolder.ts";
import type { Facts } from "../../facts.ts";
import { type Check, each, type Finding, fail, NotAsked, orPass, pass } from "../../finding.ts";
import { templatesOf } from "../../needs.ts";

/** The nodes that snippets are uploaded to. */
export const snippetNodes = ({ fleet }: Pick<Facts, "fleet">): string[] => [
  ...new Set(templatesOf(fleet).map(({ node }) => node)),
];

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
    case "host-key":
      return "If the node was reinstalled: ssh-keygen -R <address>. If not, find out who answers before you go on.";
    default:
      return `Set cluster.ssh.nodes.${node} to the address and port where this machine reaches the node's SSH server.`;
  }
}

/** The SSH login for snippets works. */
export const sshLogin: Check = {
  id: "ssh-login",
  group: "permissions",
  async run(facts) {
    const user = facts.fleet.cluster.ssh?.username ?? "root";
    return each(snippetNodes(facts), async (node): Promise<Finding[]> => {
      try {
        return [pass(`SSH to ${node} as ${(await facts.snippetsFolder(node)).login}`)];
      } catch (error) {
        if (!(error instanceof SshError)) throw error;
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
    const nodes = snippetNodes(facts);
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
