import { list } from "../config/text.ts";
import type { PveClient } from "../proxmox/client.ts";
import { listDatastoreConfigs } from "../proxmox/cluster.ts";
import { SshError } from "../proxmox/sshError.ts";
import type { SshAnswers } from "./answers.ts";
import { datastoreChoices, type Places } from "./askPlaces.ts";
import type { NodeDatastore } from "./cluster/datastores.ts";
import { SetupError } from "./cluster/error.ts";
import { lookAtNodeSsh, type NodeSsh, trySshLogin } from "./cluster/ssh.ts";
import { findPublicKeys, usablePrivateKeys } from "./cluster/sshKeys.ts";
import { type Options, UsageError } from "./options.ts";
import type { Ui } from "./ui.ts";

export interface UsableSsh {
  ssh: SshAnswers;
  /** Where snippets go. */
  snippets: NodeDatastore;
}

interface Asking {
  client: PveClient;
  places: Places;
  env: NodeJS.ProcessEnv;
}

/** SSH was not asked for, and does not work: setup goes on without. */
class DoWithout extends Error {}

/**
 * SSH is for snippets alone, and what needs one by default is the guest agent, which tells the addresses of clones. So it is
 * used where it works already, and nobody has to set it up for a first fleet.
 */
export async function askSsh(ui: Ui, options: Options, asking: Asking): Promise<UsableSsh | undefined> {
  if (options.has("no-ssh")) return undefined;
  const isWanted = options.has("ssh");
  try {
    return await usableSsh(ui, options, asking);
  } catch (error) {
    const isReason = error instanceof SshError || error instanceof SetupError || error instanceof DoWithout;
    if (isWanted || !isReason) throw error;
    ui.say(
      `Without SSH to ${asking.places.node}: ${error.message}.\nNothing needs it but the guest agent, which is not installed then.`,
    );
    return undefined;
  }
}

async function usableSsh(ui: Ui, options: Options, { client, places, env }: Asking): Promise<UsableSsh | undefined> {
  const { node, datastores } = places;
  const privateKeyFile = options.text("ssh-key") ?? usablePrivateKeys(await findPublicKeys(env))[0];
  if (privateKeyFile === undefined && !env.SSH_AUTH_SOCK)
    throw new DoWithout("neither ~/.ssh has an unencrypted private key, nor is there an SSH agent");
  const username = options.text("ssh-user") ?? "root";
  const given = addressIn(options.text("ssh-address"));
  const shown = await lookAtNodeSsh(client, node, given);
  if (!(await isAccepted(ui, options, shown, username))) return undefined;
  const [snippets] = datastoreChoices(ui, options, datastores, "snippets");
  if (!snippets) throw new DoWithout("no datastore takes snippets");
  const wanted = datastores.find(({ storage }) => storage === options.text("snippet-datastore")) ?? snippets;
  const login = { username, ...(privateKeyFile !== undefined && { privateKeyFile }) };
  const failed = await trySshLogin(shown, login, await folderOf(client, wanted), env);
  if (failed !== undefined) throw new SetupError("refused", `SSH to ${node} as ${username} does not work: ${failed}`);
  return {
    ssh: { ...login, hostKeys: shown.keys.slice(0, 1).map(({ fingerprint }) => fingerprint), ...given },
    snippets: wanted,
  };
}

function addressIn(text: string | undefined): { address?: string; port?: number } {
  if (text === undefined) return {};
  const [, address = "", port] = /^(?:\[?([^\]]+?)\]?)(?::(\d+))?$/.exec(text) ?? [];
  if (address === "") throw new UsageError(`--ssh-address: found "${text}"; expected ADDRESS or ADDRESS:PORT`);
  return { address, ...(port !== undefined && { port: Number(port) }) };
}

async function isAccepted(
  ui: Ui,
  options: Options,
  { node, keys, known }: NodeSsh,
  username: string,
): Promise<boolean> {
  const shown = keys.map(({ type, fingerprint }) => `${fingerprint} (${type})`);
  const wanted = options.text("accept-host-key");
  const isSame = keys.some(({ fingerprint }) => fingerprint === wanted);
  if (wanted !== undefined && wanted !== "any" && !isSame)
    throw new SetupError(
      "refused",
      `node ${node} shows the host key ${list(shown, "or")}; --accept-host-key has ${wanted}`,
    );
  if (known === "changed" && !isSame)
    throw new SetupError("refused", `the SSH host key of ${node} is another one than ~/.ssh/known_hosts has`, [
      `If the node was reinstalled: ssh-keygen -R ${node}`,
    ]);
  if (wanted !== undefined) return true;
  if (!ui.interactive) {
    if (known === "known") return true;
    const text = `the SSH host key of ${node} is not known: ${shown[0]}; if it is the node's, --accept-host-key ${keys[0]?.fingerprint}`;
    throw options.has("ssh") ? new UsageError(text) : new DoWithout(text);
  }
  if (known !== "known") ui.say(`SSH host key of ${node}, not known on this machine:\n${shown.join("\n")}`);
  return ui.confirm(
    `Have cloud-init install the guest agent? Clones tell their addresses then. It takes SSH to ${node} as ${username}.`,
  );
}

/** Where the plugin is going to upload snippets to. A folder that PVE has not made yet is above it. */
async function folderOf(client: PveClient, { storage, content }: NodeDatastore): Promise<string> {
  const config = (await listDatastoreConfigs(client)).find((one) => one.storage === storage);
  const base = config?.path ?? `/mnt/pve/${storage}`;
  const [, own] = /(?:^|,)snippets=([^,]+)/.exec(config?.["content-dirs"] ?? "") ?? [];
  return content.includes("snippets") ? `${base}/${own ?? "snippets"}` : base;
}
