import type { Fleet } from "../../config/fleet.ts";
import type { Version } from "../../proxmox/cluster.ts";
import { bridgeUses, mappingUses, poolUses } from "./deviceNeeds.ts";
import { clonesOf, distinct, templatesOf } from "./needs.ts";
import { datastoreUses } from "./storageNeeds.ts";

/** A privilege that this config needs. */
export interface Requirement {
  /** ACL path that PVE looks at. */
  path: string;
  /** ACL path where it is best granted: `/vms` for all VMs. */
  grant: string;
  privilege: string;
  /** What else will do: all of `privileges` on `path`. */
  or?: { path: string; privileges: readonly string[] };
}

const TEMPLATE = [
  "VM.Allocate",
  "VM.Audit",
  "VM.Config.CDROM",
  "VM.Config.CPU",
  "VM.Config.Cloudinit",
  "VM.Config.Disk",
  "VM.Config.HWType",
  "VM.Config.Memory",
  "VM.Config.Network",
  "VM.Config.Options",
  "VM.PowerMgmt",
];

// HWType for the SMBIOS serial (smbios1), Options for name, notes and tags.
const CLONE = ["VM.Allocate", "VM.Audit", "VM.Config.HWType", "VM.Config.Options", "VM.PowerMgmt"];

export interface Surroundings {
  version: Version;
  /** SDN zone of a bridge; bridges of the node itself are in `localnetwork`. */
  zoneOf(bridge: string): string;
}

/** Every privilege that the config needs; docs/preflight.md has the table. */
export function requirementsOf(fleet: Fleet, { version, zoneOf }: Surroundings): Requirement[] {
  const { datastores } = fleet.cluster;
  const templates = templatesOf(fleet);
  const clones = clonesOf(fleet);
  const needs: Requirement[] = [];
  const need = (path: string, privileges: readonly string[], more: Partial<Requirement> = {}) =>
    needs.push(...privileges.map((privilege) => ({ path, grant: path, privilege, ...more })));

  // The cluster's status.
  need("/", ["Sys.Audit"]);

  const cloned = new Set(clones.map(({ source }) => source?.key));
  const old = version.version.startsWith("8.");
  const agent = old ? "VM.Monitor" : "VM.GuestAgent.Audit";
  for (const { key, node, template } of templates) {
    const { vmId, pool, replicaOf = key } = template;
    const privileges = [
      ...TEMPLATE,
      ...(cloned.has(replicaOf) ? ["VM.Clone"] : []),
      // A plain VM may be running, and then the plugin asks its agent for addresses.
      ...(template.agent && !template.makeTemplate ? [agent] : []),
    ];
    for (const privilege of privileges)
      need(`/vms/${vmId}`, [privilege], {
        grant: "/vms",
        ...(pool && { or: { path: `/pool/${pool}`, privileges: [privilege] } }),
      });
    need(`/nodes/${node}`, ["Sys.AccessNetwork"], { or: { path: "/", privileges: ["Sys.Audit", "Sys.Modify"] } });
    // PVE lets only who may look at the nodes use CPU models of the cluster.
    if (template.cpu.type.startsWith("custom-")) need("/nodes", ["Sys.Audit"]);
    // The API shows and deletes snippets with Datastore.Allocate only; the plugin reads the datastore's folder with it.
    need(`/storage/${datastores.snippets}`, ["Datastore.Allocate", "Datastore.Audit"]);
    need(`/storage/${datastores.images}`, ["Datastore.AllocateTemplate", "Datastore.Audit"]);
    if (!template.image.keepImage) need(`/storage/${datastores.images}`, ["Datastore.Allocate"]);
  }
  for (const { clone, set, nodes } of clones) {
    const privileges = [
      ...CLONE,
      ...(clone.cores === undefined ? [] : ["VM.Config.CPU"]),
      ...(clone.memoryMiB === undefined ? [] : ["VM.Config.Memory"]),
      ...(clone.diskGiB === undefined ? [] : ["VM.Config.Disk"]),
      ...(clone.nics.some(({ bridge, vlan }) => bridge ?? vlan) ? ["VM.Config.Network"] : []),
      ...(nodes.length > 1 ? ["VM.Migrate"] : []),
      ...(set.waitFor === "agent" ? [agent] : []),
      // That the first boot has ended is asked by a command in the guest.
      ...(set.waitFor === "cloud-init" ? [old ? "VM.Monitor" : "VM.GuestAgent.Unrestricted"] : []),
    ];
    need(`/vms/${clone.vmId}`, privileges, { grant: "/vms" });
    // PVE tells the memory of a node only to who may look at it.
    if (set.placement !== "spread" && nodes.length > 1) for (const node of nodes) need(`/nodes/${node}`, ["Sys.Audit"]);
    need(`/vms/${clone.vmId}`, ["VM.Config.Cloudinit"], {
      grant: "/vms",
      or: { path: `/vms/${clone.vmId}`, privileges: ["VM.Config.Network"] },
    });
  }
  for (const { datastore, content } of datastoreUses(fleet)) {
    if (content === "images") need(`/storage/${datastore}`, ["Datastore.AllocateSpace", "Datastore.Audit"]);
  }
  for (const { bridge, vlan } of bridgeUses(fleet)) {
    const path = `/sdn/zones/${zoneOf(bridge)}/${bridge}`;
    need(vlan === undefined ? path : `${path}/${vlan}`, ["SDN.Use"], { grant: path });
  }
  for (const { pool } of poolUses(fleet)) need(`/pool/${pool}`, ["Pool.Allocate", "Pool.Audit"]);
  for (const { mapping } of mappingUses(fleet)) need(`/mapping/pci/${mapping}`, ["Mapping.Use"]);
  return distinct(needs, ({ path, privilege }) => `${path} ${privilege}`);
}
