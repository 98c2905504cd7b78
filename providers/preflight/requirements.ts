import { addsNic, type Fleet } from "../../config/fleet.ts";
import { firstBootOf } from "../../fleet/cloneBoot.ts";
import { installsAgent } from "../../fleet/cloudInit/vendorData.ts";
import type { Version } from "../../proxmox/cluster.ts";
import type { GuestEntry } from "../../proxmox/guests.ts";
import { bridgeUses, mappingUses } from "./deviceNeeds.ts";
import { allTemplatesOf, clonesOf, distinct, snippetNodes, templatesOf } from "./needs.ts";
import { datastoreUses } from "./storageNeeds.ts";

/** A privilege that this config needs. */
export interface Requirement {
  /** ACL path that PVE looks at. */
  path: string;
  privilege: string;
  /** ACL path where it is best granted: `/vms` for all VMs. */
  grant: string;
  /** What cannot be told without it; the run succeeds all the same. */
  optional?: string;
  /** What else will do: all privileges of one of these. */
  or?: readonly { path: string; privileges: readonly string[] }[];
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

// The VM that holds a clone's disks while it is made anew; it gets whatever VMID is free.
const HOLDER = ["VM.Allocate", "VM.Audit", "VM.Config.Disk", "VM.Config.Options"];

export interface Surroundings {
  version: Version;
  /** The guests of the cluster by VMID, as far as the login sees them. */
  guests: ReadonlyMap<number, GuestEntry>;
  /** SDN zone of a bridge; bridges of the node itself are in `localnetwork`. */
  zoneOf(bridge: string): string;
}

interface Vm {
  vmId: number;
  pool?: string | undefined;
}

/**
 * What is needed on a VM. One that is made in a pool, or is in it, has what is granted on the pool. To move one into a pool
 * takes `VM.Allocate` on the VM itself.
 *
 * @param privileges the one that is needed, and others that will do
 */
function onVm({ vmId, pool }: Vm, { guests }: Surroundings, ...privileges: [string, ...string[]]): Requirement {
  const path = `/vms/${vmId}`;
  const [privilege] = privileges;
  const guest = guests.get(vmId);
  const isElsewhere = guest !== undefined && guest.pool !== pool;
  const byPool = pool !== undefined && !(isElsewhere && privilege === "VM.Allocate");
  const paths = byPool ? [path, `/pool/${pool}`] : [path];
  const all = paths.flatMap((at) => privileges.map((one) => ({ path: at, privileges: [one] })));
  return { path, privilege, grant: byPool ? `/pool/${pool}` : "/vms", or: all.slice(1) };
}

/** What is needed on a VM whose VMID is not known yet, and that is made in a pool, if any. */
const onHolder = (pool: string | undefined, privilege: string): Requirement => ({
  path: "/vms",
  privilege,
  grant: pool === undefined ? "/vms" : `/pool/${pool}`,
  ...(pool !== undefined && { or: [{ path: `/pool/${pool}`, privileges: [privilege] }] }),
});

/** What is needed on the pools of VMs. */
function onPools(vms: readonly Vm[], { guests }: Surroundings): Pick<Requirement, "path" | "privilege">[] {
  return vms.flatMap(({ vmId, pool }) => {
    if (pool === undefined) return [];
    const guest = guests.get(vmId);
    const moves = guest !== undefined && guest.pool !== pool;
    return [
      { path: `/pool/${pool}`, privilege: "Pool.Audit" },
      ...(moves ? [pool, ...(guest.pool === undefined ? [] : [guest.pool])] : []).map((one) => ({
        path: `/pool/${one}`,
        privilege: "Pool.Allocate",
      })),
    ];
  });
}

const hasStaticAddress = ({ ip, ip6 }: { ip?: string | undefined; ip6?: string | undefined }): boolean =>
  [ip, ip6].some((one) => one?.includes("/"));

/** Every privilege that the config needs; docs/preflight.md has the table. */
export function requirementsOf(fleet: Fleet, surroundings: Surroundings): Requirement[] {
  const { version, zoneOf } = surroundings;
  const { datastores } = fleet.cluster;
  const templates = templatesOf(fleet);
  const clones = clonesOf(fleet);
  const needs: Requirement[] = [];
  const need = (path: string, privileges: readonly string[], more: Partial<Requirement> = {}) =>
    needs.push(...privileges.map((privilege) => ({ path, grant: path, privilege, ...more })));
  const needOnVm = (vm: Vm, privileges: readonly string[]) =>
    needs.push(...privileges.map((privilege) => onVm(vm, surroundings, privilege)));

  const cloned = new Set(clones.map(({ source }) => source?.key));
  const old = version.version.startsWith("8.");
  const agent = old ? "VM.Monitor" : "VM.GuestAgent.Audit";
  for (const { key, node, template } of templates) {
    const { replicaOf = key } = template;
    needOnVm(template, [
      ...TEMPLATE,
      ...(cloned.has(replicaOf) ? ["VM.Clone"] : []),
      // A plain VM may be running, and then the plugin asks its agent for addresses.
      ...(template.agent && !template.makeTemplate ? [agent] : []),
    ]);
    need(`/nodes/${node}`, ["Sys.AccessNetwork"], { or: [{ path: "/", privileges: ["Sys.Audit", "Sys.Modify"] }] });
    // PVE's condition for CPU models of the cluster.
    if (template.cpu.type.startsWith("custom-")) need("/nodes", ["Sys.Audit"]);
    need(`/storage/${datastores.images}`, ["Datastore.AllocateTemplate", "Datastore.Audit"]);
    if (!template.image.keepImage) need(`/storage/${datastores.images}`, ["Datastore.Allocate"]);
  }
  // The API shows and deletes snippets with Datastore.Allocate only; the plugin reads the datastore's folder with it.
  if (snippetNodes(fleet).length > 0)
    need(`/storage/${datastores.snippets}`, ["Datastore.Allocate", "Datastore.Audit"]);
  // A template that the run leaves as it is has to give its clones.
  const idle = allTemplatesOf(fleet).filter(({ key }) => !templates.some((one) => one.key === key));
  for (const { key, template } of idle) {
    const { replicaOf = key } = template;
    if (cloned.has(replicaOf)) needOnVm(template, ["VM.Clone"]);
    if (template.existing) needOnVm(template, ["VM.Audit"]);
  }
  const vms = clones.map(({ clone, set }) => ({ vmId: clone.vmId, pool: set.pool }));
  for (const [index, { clone, set, nodes, source }] of clones.entries()) {
    const vm = vms[index] ?? clone;
    needOnVm(vm, [
      ...CLONE,
      ...([clone.cores, clone.cpuLimit, clone.cpuUnits, clone.numa].every((one) => one === undefined)
        ? []
        : ["VM.Config.CPU"]),
      // With a device of its own a guest loses its balloon.
      ...(clone.memoryMiB === undefined && !clone.gpus?.length ? [] : ["VM.Config.Memory"]),
      ...(clone.diskGiB === undefined && !clone.extraDisks?.length ? [] : ["VM.Config.Disk"]),
      ...(clone.nics.some(
        ({ bridge, vlan, mac }, index) => bridge ?? vlan ?? mac ?? (source && addsNic(source.template, clone, index)),
      )
        ? ["VM.Config.Network"]
        : []),
      ...(nodes.length > 1 ? ["VM.Migrate"] : []),
      ...(set.waitFor === "agent" ? [agent] : []),
      ...(set.snapshotBefore === undefined ? [] : ["VM.Snapshot"]),
      // That the first boot has ended is asked, and keys are set, by a command in the guest.
      ...(set.waitFor === "cloud-init" || set.rotateKeys ? [old ? "VM.Monitor" : "VM.GuestAgent.Unrestricted"] : []),
    ]);
    needs.push(onVm(vm, surroundings, "VM.Config.Cloudinit", "VM.Config.Network"));
    if (clone.keepDisks && clone.extraDisks?.length) for (const one of HOLDER) needs.push(onHolder(set.pool, one));
    // Where the config says nothing of `waitFor`, the agent is asked for addresses that only it knows.
    if (
      set.waitFor === undefined &&
      set.start &&
      source &&
      installsAgent({ agent: source.template.agent, cloudInit: firstBootOf(source.template, clone) }) &&
      !hasStaticAddress(clone)
    )
      needs.push({ ...onVm(vm, surroundings, agent), optional: "the addresses that clones get by DHCP" });
    // PVE shows a node's memory only with it.
    if (set.placement !== "spread" && nodes.length > 1) for (const node of nodes) need(`/nodes/${node}`, ["Sys.Audit"]);
  }
  need("/", ["Sys.Audit"], { optional: "whether the cluster has quorum" });
  for (const { datastore, content } of datastoreUses(fleet)) {
    if (content === "images") need(`/storage/${datastore}`, ["Datastore.AllocateSpace", "Datastore.Audit"]);
  }
  for (const { bridge, vlan } of bridgeUses(fleet)) {
    const path = `/sdn/zones/${zoneOf(bridge)}/${bridge}`;
    need(vlan === undefined ? path : `${path}/${vlan}`, ["SDN.Use"], { grant: path });
  }
  for (const { path, privilege } of onPools([...templates.map(({ template }) => template), ...vms], surroundings))
    need(path, [privilege]);
  for (const { kind, mapping } of mappingUses(fleet)) need(`/mapping/${kind}/${mapping}`, ["Mapping.Use"]);
  // It changes how the node starts.
  if (clones.some(({ clone }) => clone.startup)) need("/", ["Sys.Modify"]);
  return distinct(needs, ({ path, privilege }) => `${path} ${privilege}`);
}
