import ipaddr from "ipaddr.js";
import pLimit from "p-limit";
import { guestInterfaces, hasAgent } from "../../proxmox/agent.ts";
import { type PveClient, path } from "../../proxmox/client.ts";
import { listInterfaces, listNodes } from "../../proxmox/cluster.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { type GuestConfig, type GuestEntry, listGuests } from "../../proxmox/guests.ts";
import { addressesOf } from "./addresses.ts";

/** An address that something in the cluster has. */
export interface UsedAddress {
  /** Without prefix. */
  address: string;
  /** `VM 100 "nas"`, `node pve1` */
  owner: string;
  /** How it is known: from its config, from the guest agent, or it is a node's own. */
  by: "config" | "agent" | "node";
}

export interface UsedAddresses {
  used: UsedAddress[];
  /** What could not be looked at, in words; empty if everything was. */
  unread: string[];
}

/** Requests at a time. */
const AT_A_TIME = 8;

/** In its one canonical spelling; undefined of what no two machines share (loopback, link-local) or what is no address. */
function canonical(text: string | undefined): string | undefined {
  if (!text || !ipaddr.isValid(text)) return undefined;
  const address = ipaddr.process(text);
  return ["loopback", "linkLocal", "unspecified"].includes(address.range()) ? undefined : address.toNormalizedString();
}

async function ofNodes(client: PveClient): Promise<UsedAddresses> {
  const online = (await listNodes(client)).filter(({ status }) => status === "online");
  const all = await Promise.all(
    online.map(async ({ node }) => {
      try {
        const addresses = (await listInterfaces(client, node)).flatMap(({ address, address6 }) => [address, address6]);
        return { used: own(addresses, `node ${node}`, "node"), unread: [] };
      } catch (error) {
        return { used: [], unread: [reason(`node ${node}`, error)] };
      }
    }),
  );
  return together(all);
}

const own = (addresses: readonly (string | undefined)[], owner: string, by: UsedAddress["by"]): UsedAddress[] =>
  [...new Set(addresses.map(canonical))].flatMap((address) => (address === undefined ? [] : [{ address, owner, by }]));

/** Whoever it is about, it does not stop the others. */
function reason(who: string, error: unknown): string {
  if (!(error instanceof ProxmoxError)) throw error;
  return `${who}: ${error.message}`;
}

const together = (all: readonly UsedAddresses[]): UsedAddresses => ({
  used: all.flatMap(({ used }) => used),
  unread: all.flatMap(({ unread }) => unread),
});

async function ofGuest(client: PveClient, guest: GuestEntry): Promise<UsedAddresses> {
  const { vmid, node, type, status } = guest;
  const kind = type === "lxc" ? "container" : "VM";
  let config: GuestConfig;
  try {
    config = await client.get<GuestConfig>(path`/nodes/${node}/${type}/${vmid}/config`);
  } catch (error) {
    return { used: [], unread: [reason(`${kind} ${vmid}`, error)] };
  }
  const owner = `${kind} ${vmid} "${config.name ?? config.hostname ?? ""}"`;
  const configured = own(
    addressesOf(guest, config).map(({ host }) => host),
    owner,
    "config",
  );
  const asksAgent = type === "qemu" && status === "running" && hasAgent(config);
  const told = asksAgent ? await agentAddresses(client, guest) : [];
  const known = new Set(configured.map(({ address }) => address));
  return {
    used: [...configured, ...own(told, owner, "agent").filter(({ address }) => !known.has(address))],
    unread: [],
  };
}

/** None if the agent does not answer, or the login may not ask it: that is no trouble of ours. */
async function agentAddresses(client: PveClient, { node, vmid }: GuestEntry): Promise<string[]> {
  try {
    const interfaces = await guestInterfaces(client, node, vmid);
    return interfaces.flatMap((one) => (one["ip-addresses"] ?? []).map((address) => address["ip-address"]));
  } catch (error) {
    if (error instanceof ProxmoxError) return [];
    throw error;
  }
}

/**
 * The addresses that the cluster knows: of nodes, in the configs of guests, and of running guests with an agent. Somebody
 * outside the cluster may have others: nobody can know them here.
 *
 * @param options.most how many guests are read, running ones first: the API gives configs one by one
 * @param options.isOther whether a guest is looked at
 */
export async function readUsedAddresses(
  client: PveClient,
  {
    most = Number.POSITIVE_INFINITY,
    isOther = () => true,
  }: { most?: number; isOther?: (guest: GuestEntry) => boolean } = {},
): Promise<UsedAddresses> {
  const guests = (await listGuests(client)).filter((guest) => guest.template !== 1 && isOther(guest));
  const running = guests.filter(({ status }) => status === "running");
  const inOrder = [...running, ...guests.filter((one) => !running.includes(one))];
  const limit = pLimit(AT_A_TIME);
  const [nodes, ...found] = await Promise.all([
    ofNodes(client),
    ...inOrder.slice(0, most).map((guest) => limit(() => ofGuest(client, guest))),
  ]);
  const left = inOrder.length - most;
  const more = left > 0 ? [`${left} guests more than the first ${most}`] : [];
  return together([nodes, ...found, { used: [], unread: more }]);
}
