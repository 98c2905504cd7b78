import pLimit from "p-limit";
import type { Fleet } from "../../config/fleet.ts";
import type { Login } from "../../config/login.ts";
import { type PveClient, path } from "../../proxmox/client.ts";
import * as pve from "../../proxmox/cluster.ts";
import { type GuestConfig, type GuestEntry, isMissing, listGuests } from "../../proxmox/guests.ts";
import { type NodeFolder, probeFolder, type SshTarget } from "../../proxmox/nodeFolder.ts";
import { type Datastore, listDatastores, listVolumes, type Volume } from "../../proxmox/storage.ts";
import { verifiedBySystem } from "../../proxmox/systemTrust.ts";
import { readFile } from "../image/ensure.ts";
import { NotAsked } from "./finding.ts";

/** What the checks know of the stack and the cluster. Each fact is asked for once, and only if a check needs it. */
export interface Facts {
  readonly fleet: Fleet;
  readonly login: Login;
  readonly fleetId: string;
  /** VMIDs that an earlier preflight of this stack found to be free or ours. */
  readonly knownVmIds: ReadonlySet<number>;
  /** Whether addresses and devices are those of the last run that went through. */
  readonly claimsUnchanged: boolean;

  /** Answers once the API was reached and took the login; every other fact of the cluster waits for it. */
  version(): Promise<pve.Version>;
  /** Why the proxmoxve plugin would not trust the certificate; undefined if it would. */
  pluginTrust(): Promise<string | undefined>;
  nodes(): Promise<pve.NodeEntry[]>;
  clusterStatus(): Promise<pve.ClusterStatusEntry[]>;
  permissions(): Promise<pve.Permissions>;
  roles(): Promise<pve.RoleEntry[]>;
  vnets(): Promise<pve.VnetEntry[]>;
  pools(): Promise<pve.PoolEntry[]>;
  guests(): Promise<GuestEntry[]>;
  /** Config of a VM or container, or undefined if it is gone meanwhile. */
  guestConfig(guest: GuestEntry): Promise<GuestConfig | undefined>;
  datastoreConfigs(): Promise<pve.DatastoreConfig[]>;
  datastores(node: string): Promise<Datastore[]>;
  volumes(node: string, datastore: string): Promise<Volume[]>;
  /** Bytes of the disk in a cached image; undefined if it is not in the cache, or PVE does not tell. */
  imageDiskSize(node: string, datastore: string, fileName: string): Promise<number | undefined>;
  interfaces(node: string): Promise<pve.NetworkInterface[]>;
  /** Bridges of the node with those of SDN, which the plain list leaves out. */
  bridges(node: string): Promise<pve.NetworkInterface[]>;
  pciMappings(node: string): Promise<pve.PciMapping[]>;
  /** The snippets folder of the node, as the SSH login sees it. */
  snippetsFolder(node: string): Promise<NodeFolder>;
}

/** Asks once for each argument. */
function once<A extends unknown[], T>(ask: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (...args) => {
    const key = JSON.stringify(args);
    const known = answers.get(key) ?? ask(...args);
    answers.set(key, known);
    return known;
  };
}

/** Requests at a time where there is one a VM. */
const AT_A_TIME = 8;

type Given = Pick<Facts, "fleet" | "login" | "fleetId" | "knownVmIds" | "claimsUnchanged">;

/** @param sshTarget where and how the plugin reaches a node by SSH */
export function clusterFacts(
  client: PveClient,
  given: Given,
  sshTarget: (facts: Facts, node: string) => Promise<SshTarget>,
): Facts {
  const version = once(() => pve.readVersion(client));
  const limit = pLimit(AT_A_TIME);
  /** A fact of the whole cluster. */
  const ofCluster = <A extends unknown[], T>(ask: (...args: A) => Promise<T>) =>
    once(async (...args: A) => {
      await version();
      return ask(...args);
    });
  const nodes = ofCluster(() => pve.listNodes(client));
  /** A fact of one node; PVE would answer for a node that is missing or offline with an error of its own. */
  const ofNode = <A extends unknown[], T>(ask: (node: string, ...args: A) => Promise<T>) =>
    once(async (node: string, ...args: A) => {
      const found = (await nodes()).find((one) => one.node === node);
      if (!found) throw new NotAsked(`there is no node ${node}, see node-exists`);
      if (found.status === "offline") throw new NotAsked(`node ${node} is offline, see node-online`);
      return ask(node, ...args);
    });
  const facts: Facts = {
    ...given,
    version,
    pluginTrust: ofCluster(() => verifiedBySystem(client.connection.endpoint)),
    nodes,
    clusterStatus: ofCluster(() => pve.clusterStatus(client)),
    permissions: ofCluster(() => pve.readPermissions(client)),
    roles: ofCluster(() => pve.listRoles(client)),
    vnets: ofCluster(() => pve.listVnets(client)),
    pools: ofCluster(() => pve.listPools(client)),
    guests: ofCluster(() => listGuests(client)),
    guestConfig: ofCluster((guest: GuestEntry) => limit(() => readGuestConfig(client, guest))),
    datastoreConfigs: ofCluster(() => pve.listDatastoreConfigs(client)),
    datastores: ofNode((node) => listDatastores(client, node)),
    volumes: ofNode((node, datastore: string) => listVolumes(client, node, datastore, "images")),
    imageDiskSize: ofNode(async (node, datastore: string, fileName: string) => {
      const there = (await facts.datastores(node)).some(({ storage, active }) => storage === datastore && active);
      return there ? (await readFile(client, { node, datastore, fileName }))?.virtualSizeBytes : undefined;
    }),
    interfaces: ofNode((node) => pve.listInterfaces(client, node)),
    bridges: ofNode((node) => pve.listInterfaces(client, node, "any_bridge")),
    pciMappings: ofNode((node) => pve.listPciMappings(client, node)),
    snippetsFolder: ofNode(async (node) => probeFolder(await sshTarget(facts, node))),
  };
  return facts;
}

async function readGuestConfig(client: PveClient, { node, vmid, type }: GuestEntry): Promise<GuestConfig | undefined> {
  try {
    return await client.get<GuestConfig>(path`/nodes/${node}/${type}/${vmid}/config`);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
