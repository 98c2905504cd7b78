import { list } from "../config/text.ts";
import type { PveClient } from "../proxmox/client.ts";
import { listDatastoreConfigs } from "../proxmox/cluster.ts";
import { knownHostsName } from "../proxmox/knownHosts.ts";
import { SshError } from "../proxmox/sshError.ts";
import type { SshAnswers } from "./answers.ts";
import { datastoreChoices, type Places } from "./askPlaces.ts";
import type { NodeDatastore } from "./cluster/datastores.ts";
import { SetupError } from "./cluster/error.ts";
import { lookAtNodeSsh, type NodeSsh, rememberNodeSsh, type ShownHostKey, trySshLogin } from "./cluster/ssh.ts";
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
  /** The config needs snippets whatever is answered here. */
  isNeeded: boolean;
}

/** SSH was not asked for, and does not work: setup goes on without. */
class DoWithout extends Error {}

/**
 * SSH is for snippets alone, and what needs one by default is the guest agent, which tells the addresses of clones. So it is
 * used where it works already, and nobody has to set it up for a first fleet.
 */
export async function askSsh(ui: Ui, options: Options, asking: Asking): Promise<UsableSsh | undefined> {
  const { isNeeded, places } = asking;
  if (options.has("no-ssh")) {
    if (!isNeeded) return undefined;
    throw new UsageError("--no-ssh: this config needs cloud-init snippets, which only SSH can upload");
  }
  let address = options.text("ssh-address");
  for (;;) {
    try {
      return await usableSsh(ui, options, asking, address);
    } catch (error) {
      const isReason = error instanceof SshError || error instanceof SetupError || error instanceof DoWithout;
      if (!isReason) throw error;
      const isWanted = isNeeded || options.has("ssh");
      if (!isWanted) {
        ui.say(
          `Without SSH to ${places.node}: ${error.message}.\nNothing needs it but the guest agent, which is not installed then.`,
        );
        return undefined;
      }
      const todo = error instanceof SetupError ? error.todo : [];
      const text = `SSH to ${places.node} is needed for cloud-init snippets: ${error.message}`;
      const ways = "The options for it: --ssh-address, --ssh-user, --ssh-key, --accept-host-key.";
      if (!ui.interactive || options.has("ssh-address")) throw new SetupError("refused", text, [...todo, ways]);
      ui.warn([text, ...todo].join("\n"));
      address = await ui.text({
        option: "ssh-address",
        message: `Where is the SSH server of ${places.node}? ADDRESS or ADDRESS:PORT`,
        ...(address !== undefined && { best: address }),
      });
    }
  }
}

async function usableSsh(
  ui: Ui,
  options: Options,
  { client, places, env, isNeeded }: Asking,
  address: string | undefined,
): Promise<UsableSsh | undefined> {
  const { node, datastores } = places;
  const given = options.text("ssh-key");
  const found = given === undefined ? usablePrivateKeys(await findPublicKeys(env)) : [given];
  const ways = given === undefined && env.SSH_AUTH_SOCK ? [...found, AGENT] : found;
  if (ways.length === 0)
    throw new DoWithout("neither ~/.ssh has an unencrypted private key, nor is there an SSH agent");
  const username = options.text("ssh-user") ?? "root";
  const place = addressIn(address);
  const shown = await lookAtNodeSsh(client, node, place);
  const keys = await acceptedKeys(ui, options, shown, { username, isNeeded });
  if (!keys) {
    if (isNeeded) throw new SetupError("refused", `the host key of ${node} was not accepted`);
    return undefined;
  }
  const snippets = datastoreChoices(ui, options, datastores, "snippets");
  const wanted = options.text("snippet-datastore");
  const on = wanted === undefined ? snippets[0] : snippets.find(({ storage }) => storage === wanted);
  if (!on) throw new UsageError(`--snippet-datastore: no datastore ${wanted} of ${node} takes snippets`);
  // It makes a file on the node and removes it.
  const folder = options.has("print") ? undefined : await folderOf(client, on);
  const login = await workingLogin(username, ways, async (way) =>
    folder === undefined ? undefined : trySshLogin({ ...shown, keys }, way, folder, env),
  );
  return {
    ssh: {
      ...login,
      hostKeys: keys.map(({ fingerprint }) => fingerprint),
      ...place,
      remember: () => rememberKeys(shown, keys),
    },
    snippets: on,
  };
}

/** In the place of a private key's file. */
export const AGENT = undefined;

/**
 * The first way to log in that works: a private key, or the agent.
 *
 * @throws SetupError with what each says
 */
export async function workingLogin(
  username: string,
  ways: readonly (string | typeof AGENT)[],
  failureOf: (login: Pick<SshAnswers, "username" | "privateKeyFile">) => Promise<string | undefined>,
): Promise<Pick<SshAnswers, "username" | "privateKeyFile">> {
  const failures = new Set<string>();
  for (const privateKeyFile of ways) {
    const login = { username, ...(privateKeyFile !== undefined && { privateKeyFile }) };
    const failure = await failureOf(login);
    if (failure === undefined) return login;
    failures.add(failure);
  }
  throw new SetupError("refused", `${username} cannot log in: ${[...failures].join("; ")}`);
}

/** Keys of a server that known_hosts has another key of are for the user to solve: nothing is taken away there. */
function rememberKeys(shown: NodeSsh, keys: ShownHostKey[]): void {
  if (shown.known === "unknown") rememberNodeSsh({ ...shown, keys });
}

function addressIn(text: string | undefined): { address?: string; port?: number } {
  if (text === undefined) return {};
  const [, address = "", port] = /^(?:\[?([^\]]+?)\]?)(?::(\d+))?$/.exec(text) ?? [];
  if (address === "") throw new UsageError(`--ssh-address: found "${text}"; expected ADDRESS or ADDRESS:PORT`);
  return { address, ...(port !== undefined && { port: Number(port) }) };
}

/** The host keys that somebody vouches for: an option, known_hosts, or the user to whom they were shown. Undefined: nobody. */
export async function acceptedKeys(
  ui: Ui,
  options: Options,
  { node, address, port, keys, known, knownKeys }: NodeSsh,
  { username, isNeeded }: { username: string; isNeeded: boolean },
): Promise<ShownHostKey[] | undefined> {
  const shown = keys.map(({ type, fingerprint }) => `${fingerprint} (${type})`);
  const wanted = options.text("accept-host-key");
  const same = keys.filter(({ fingerprint }) => fingerprint === wanted);
  if (wanted !== undefined && wanted !== "any" && same.length === 0)
    throw new SetupError(
      "refused",
      `node ${node} shows the host key ${list(shown, "or")}; --accept-host-key has ${wanted}`,
    );
  if (known === "changed" && same.length === 0)
    throw new SetupError("refused", `the SSH host key of ${node} is another one than ~/.ssh/known_hosts has`, [
      `If the node was reinstalled: ssh-keygen -R '${knownHostsName(address, port)}'`,
    ]);
  if (same.length > 0) return same;
  const trusted = known === "known" ? knownKeys : keys;
  if (wanted !== undefined) return trusted;
  if (!ui.interactive) {
    if (known === "known") return trusted;
    const text = `the SSH host key of ${node} is not known: ${shown[0]}; if it is the node's, --accept-host-key ${keys[0]?.fingerprint}`;
    throw options.has("ssh") || isNeeded ? new UsageError(text) : new DoWithout(text);
  }
  if (known !== "known") ui.say(`SSH host key of ${node}, not known on this machine:\n${shown.join("\n")}`);
  const question = isNeeded
    ? `Is this ${node}? cloud-init's snippets are uploaded there by SSH, as ${username}.`
    : `Have cloud-init install the guest agent, so that clones report their addresses? This needs SSH to ${node} as ${username}.`;
  if (isNeeded && known === "known") return trusted;
  return (await ui.confirm(question)) ? trusted : undefined;
}

/** Where the plugin is going to upload snippets to. A folder that PVE has not made yet is above it. */
async function folderOf(client: PveClient, { storage, content }: NodeDatastore): Promise<string> {
  const config = (await listDatastoreConfigs(client)).find((one) => one.storage === storage);
  const base = config?.path ?? `/mnt/pve/${storage}`;
  const [, own] = /(?:^|,)snippets=([^,]+)/.exec(config?.["content-dirs"] ?? "") ?? [];
  return content.includes("snippets") ? `${base}/${own ?? "snippets"}` : base;
}
