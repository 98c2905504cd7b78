import { loadConfig } from "../../config/load.ts";
import { Part } from "../../fleet/part.ts";
import type { GuestEntry } from "../../proxmox/guests.ts";
import type { Datastore } from "../../proxmox/storage.ts";
import type { Facts, GuestLook } from "./facts.ts";
import type { Check, Finding } from "./finding.ts";

/** For tests: a stack config as `Pulumi.<stack>.yaml` has it, with a template and a clone set unless others are given. */
export function fakeFleet(raw: { cluster?: object; templates?: object; cloneSets?: object } = {}): Facts["fleet"] {
  const config: Record<string, object | string> = {
    cluster: { endpoint: "https://pve1.example.net:8006", node: "pve1", ssh: {}, ...raw.cluster },
    apiToken: "fleet@pve!golden=secret",
    templates: raw.templates ?? { noble: { vmId: 9000, image: { url: "http://mirror.example.net/noble.img" } } },
    cloneSets: raw.cloneSets ?? { web: { template: "noble", clones: [{ name: "web-1", vmId: 9101 }] } },
  };
  const read = (key: string) => {
    const value = config[key];
    return typeof value === "object" ? JSON.stringify(value) : value;
  };
  const { cluster, templates, existing, cloneSets, leftOut, problems } = loadConfig(read, Object.keys(config), {});
  if (!cluster || problems.length > 0)
    throw new Error(problems.map(({ path, message }) => `${path}: ${message}`).join("\n"));
  return { cluster, templates, existing, cloneSets, leftOut };
}

export const fakeDatastores: Datastore[] = [
  { storage: "local", type: "dir", content: "import,iso,snippets", enabled: 1, active: 1, avail: 90 * 2 ** 30 },
  { storage: "local-lvm", type: "lvmthin", content: "images,rootdir", enabled: 1, active: 1, avail: 800 * 2 ** 30 },
];

/** A VM's config by VMID. */
export const fakeConfigs =
  (configs: Record<number, GuestLook>) =>
  async ({ vmid }: GuestEntry): Promise<GuestLook> =>
    configs[vmid] ?? "absent";

/** For tests: a healthy cluster of two nodes, in which nothing of ours exists yet. */
export function fakeFacts(facts: Partial<Facts> = {}): Facts {
  const { whole = facts.fleet ?? fakeFleet() } = facts;
  return {
    fleet: whole,
    whole,
    part: new Part({ project: "proxmox-golden-fleet", stack: "test" }),
    login: { kind: "token", id: "fleet@pve!golden", secret: "secret" },
    fleetId: "f1ee7000",
    knownVmIds: new Set(),
    knownSets: {},
    templateNames: {},
    claimsUnchanged: false,
    version: async () => ({ version: "9.2.11", release: "9.2" }),
    pluginTrust: async () => undefined,
    nodes: async () => [
      { node: "pve1", status: "online" },
      { node: "pve2", status: "online" },
    ],
    answers: async () => true,
    clusterStatus: async () => [{ type: "cluster", name: "lab", quorate: 1 }],
    permissions: async () => ({}),
    roles: async () => [],
    vnets: async () => [],
    pools: async () => [],
    guests: async () => [],
    guestConfig: async () => "absent",
    isTaken: async () => false,
    datastoreConfigs: async () => [
      { storage: "local", type: "dir", path: "/var/lib/vz" },
      { storage: "local-lvm", type: "lvmthin" },
    ],
    datastores: async () => fakeDatastores,
    volumes: async () => [],
    imageDiskSize: async () => undefined,
    interfaces: async () => [{ iface: "vmbr0", type: "bridge" }],
    bridges: async () => [{ iface: "vmbr0", type: "bridge" }],
    mappings: async () => [],
    snippetsFolder: async () => ({ login: "root@10.0.0.11:22", folder: "/var/lib/vz/snippets", exists: true }),
    ...facts,
  };
}

/** Runs one check and gives `status path: message` of each finding. */
export async function found(check: Check, facts: Facts): Promise<string[]> {
  return (await check.run(facts)).map(line);
}

export const line = ({ status, path, message }: Finding): string => `${status} ${path ? `${path}: ` : ""}${message}`;
