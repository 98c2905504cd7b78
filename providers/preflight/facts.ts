import pLimit from "p-limit";
import type { Fleet } from "../../config/fleet.ts";
import type { Login } from "../../config/login.ts";
import type { Part } from "../../fleet/part.ts";
import type { TemplateNames } from "../../fleet/templateNames.ts";
import { type ServedCertificate, servedCertificate } from "../../proxmox/certificate.ts";
import { type PveClient, path } from "../../proxmox/client.ts";
import * as pve from "../../proxmox/cluster.ts";
import { type GuestConfig, type GuestEntry, isMissing, listGuests } from "../../proxmox/guests.ts";
import { type NodeFolder, probeFolder, type SshTarget } from "../../proxmox/nodeFolder.ts";
import { SshError } from "../../proxmox/sshError.ts";
import { type Datastore, listDatastores, listVolumes, type Volume } from "../../proxmox/storage.ts";
import { verifiedBySystem } from "../../proxmox/systemTrust.ts";
import { whereIs } from "../../proxmox/whereIs.ts";
import { readFile } from "../image/ensure.ts";
import { NotAsked } from "./finding.ts";
import type { Work } from "./needs.ts";
import { NodeCalls, NodeDown } from "./nodeCalls.ts";

/** A guest's config. `absent`: the guest is gone meanwhile; `unreachable`: its node does not answer. */
export type GuestLook = GuestConfig | "absent" | "unreachable";

/** What a clone set had in the last run that got past preflight. */
export interface SetMemory {
  /** VMIDs of its clones. */
  vmIds: number[];
  /** VMIDs of its template and that one's replicas. */
  templates: number[];
}

/** What the checks know of the stack and the cluster. Each fact is asked for once, and only if a check needs it. */
export interface Facts {
  /** What the run makes, changes or deletes. */
  readonly fleet: Work;
  /** All of the stack config. */
  readonly whole: Fleet;
  /** Which of it the run is about. */
  readonly part: Part;
  readonly login: Login;
  readonly fleetId: string;
  /** VMIDs that an earlier preflight of this stack found to be free or ours. */
  readonly knownVmIds: ReadonlySet<number>;
  /** By key: the clone sets of that preflight. */
  readonly knownSets: Readonly<Record<string, SetMemory>>;
  /** How many clones that have left the config this run may delete; undefined: nobody has said. */
  readonly allowDeletes?: number;
  /** As they will be remembered of this run. */
  readonly templateNames: TemplateNames;
  /** Whether addresses and devices are those of the last run that went through. */
  readonly claimsUnchanged: boolean;

  /** Answers once the API was reached and took the login; every other fact of the cluster waits for it. */
  version(): Promise<pve.Version>;
  /** Why the proxmoxve plugin would not trust the certificate, and which it is; undefined if it would. */
  pluginTrust(): Promise<{ reason: string; certificate: ServedCertificate } | undefined>;
  nodes(): Promise<pve.NodeEntry[]>;
  /** Whether a node of the cluster answers. One that has just died is still listed as online. */
  answers(node: string): Promise<boolean>;
  clusterStatus(): Promise<pve.ClusterStatusEntry[]>;
  permissions(): Promise<pve.Permissions>;
  roles(): Promise<pve.RoleEntry[]>;
  vnets(): Promise<pve.VnetEntry[]>;
  pools(): Promise<pve.PoolEntry[]>;
  guests(): Promise<GuestEntry[]>;
  guestConfig(guest: GuestEntry): Promise<GuestLook>;
  /** Whether a VMID is taken, be it by a guest that the login may not see. */
  isTaken(vmId: number): Promise<boolean>;
  datastoreConfigs(): Promise<pve.DatastoreConfig[]>;
  datastores(node: string): Promise<Datastore[]>;
  volumes(node: string, datastore: string): Promise<Volume[]>;
  /** Bytes of the disk in a cached image; undefined if it is not in the cache, or PVE does not tell. */
  imageDiskSize(node: string, datastore: string, fileName: string): Promise<number | undefined>;
  interfaces(node: string): Promise<pve.NetworkInterface[]>;
  /** Bridges of the node with those of SDN, which the plain list leaves out. */
  bridges(node: string): Promise<pve.NetworkInterface[]>;
  mappings(node: string, kind: pve.MappingKind): Promise<pve.Mapping[]>;
  /** The snippets folder of the node, as the SSH login sees it. */
  snippetsFolder(node: string): Promise<NodeFolder>;
}

/**
 * Asks once for each argument. An error is kept too: many checks ask for the same, and one of them reports it. The next
 * preflight has facts of its own.
 */
function once<A extends unknown[], T>(ask: (...args: A) => Promise<T>): (...args: A) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (...args) => {
    const key = JSON.stringify(args);
    const known = answers.get(key) ?? ask(...args);
    answers.set(key, known);
    return known;
  };
}

/** Requests at a time where each VM takes one. */
const AT_A_TIME = 8;

type Given = Pick<
  Facts,
  | "fleet"
  | "whole"
  | "part"
  | "login"
  | "fleetId"
  | "knownVmIds"
  | "knownSets"
  | "allowDeletes"
  | "templateNames"
  | "claimsUnchanged"
>;

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
  const calls = new NodeCalls(nodes);
  /** A fact of one node. */
  const ofNode = <A extends unknown[], T>(ask: (node: string, ...args: A) => Promise<T>) =>
    once((node: string, ...args: A) => calls.ask(node, () => ask(node, ...args)));
  const facts: Facts = {
    ...given,
    version,
    pluginTrust: ofCluster(async () => {
      const { endpoint } = client.connection;
      const reason = await verifiedBySystem(endpoint);
      return reason === undefined ? undefined : { reason, certificate: await servedCertificate(endpoint) };
    }),
    nodes,
    // Which call does not matter; the checks make this one anyway.
    answers: (node) =>
      facts.datastores(node).then(
        () => true,
        (error) => !(error instanceof NodeDown),
      ),
    clusterStatus: ofCluster(() => pve.clusterStatus(client)),
    permissions: ofCluster(() => pve.readPermissions(client)),
    roles: ofCluster(() => pve.listRoles(client)),
    vnets: ofCluster(() => pve.listVnets(client)),
    pools: ofCluster(() => pve.listPools(client)),
    guests: ofCluster(() => listGuests(client)),
    guestConfig: ofCluster((guest: GuestEntry) => limit(() => readGuest(client, calls, guest))),
    isTaken: ofCluster((vmId: number) => limit(() => pve.isVmIdTaken(client, vmId))),
    datastoreConfigs: ofCluster(() => pve.listDatastoreConfigs(client)),
    datastores: ofNode((node) => listDatastores(client, node)),
    volumes: ofNode((node, datastore: string) => listVolumes(client, node, datastore, "images")),
    imageDiskSize: ofNode(async (node, datastore: string, fileName: string) => {
      const there = (await facts.datastores(node)).some(({ storage, active }) => storage === datastore && active);
      return there ? (await readFile(client, { node, datastore, fileName }))?.virtualSizeBytes : undefined;
    }),
    interfaces: ofNode((node) => pve.listInterfaces(client, node)),
    bridges: ofNode((node) => pve.listInterfaces(client, node, "any_bridge")),
    mappings: ofNode((node, kind: pve.MappingKind) => pve.listMappings(client, node, kind)),
    snippetsFolder: ofNode(async (node) => {
      try {
        return await probeFolder(await sshTarget(facts, node));
      } catch (error) {
        if (error instanceof SshError && !(await facts.answers(node))) throw calls.noAnswer(node);
        throw error;
      }
    }),
  };
  return facts;
}

async function readGuest(client: PveClient, calls: NodeCalls, { node, vmid, type }: GuestEntry): Promise<GuestLook> {
  try {
    return await calls.ask(node, async () => {
      if (type === "lxc") return await client.get<GuestConfig>(path`/nodes/${node}/lxc/${vmid}/config`);
      const found = await whereIs(client, vmid, node);
      if (found.kind === "unreachable") throw calls.noAnswer(found.node);
      return found.kind === "vm" ? found.config : "absent";
    });
  } catch (error) {
    if (error instanceof NotAsked) return "unreachable";
    if (isMissing(error)) return "absent";
    throw error;
  }
}
