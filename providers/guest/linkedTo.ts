import type { PveClient } from "../../proxmox/client.ts";
import { baseOf, datastoreOf, diskVolumes } from "../../proxmox/disks.ts";
import { type GuestConfig, type GuestEntry, listGuests } from "../../proxmox/guests.ts";
import { listVolumes, type Volume } from "../../proxmox/storage.ts";

/** The datastores that a VM's disks are on. */
export const datastoresOf = (config: GuestConfig): string[] =>
  [...new Set(Object.values(diskVolumes(config)).map(datastoreOf))].filter(Boolean);

/**
 * VMIDs of the volumes that are linked to those of a template. Directories, ZFS and RBD show it in the volume id or as
 * `parent`; LVM-thin does not, and does not need the template any more.
 */
export function linkedVmIds(volumes: readonly Volume[], vmId: number): number[] {
  const linked = volumes.flatMap(({ volid, parent, vmid }) => {
    // The end makes a parent such as `base-9000-disk-0@__base__` look like the base in a volume id.
    const base = baseOf(volid) ?? baseOf(`/${parent ?? ""}/`);
    return base === vmId && vmid !== undefined && vmid !== vmId ? [vmid] : [];
  });
  return [...new Set(linked)].sort((a, b) => a - b);
}

/** `VM 150 "byhand" on node pve1` */
export function linkedName(vmId: number, guest: Pick<GuestEntry, "name" | "node"> | undefined): string {
  return guest ? `VM ${vmId} "${guest.name ?? "without a name"}" on node ${guest.node}` : `VM ${vmId}`;
}

/**
 * The VMs whose disks are linked to a template's, wherever the datastores show it: PVE deletes the template only when they are
 * gone, or have disks of their own.
 *
 * @param template the template, with its config
 * @returns their names, each with VMID and node
 */
export async function linkedTo(
  client: PveClient,
  { node, vmId, config }: { node: string; vmId: number; config: GuestConfig },
): Promise<string[]> {
  const volumes = await Promise.all(datastoresOf(config).map((one) => listVolumes(client, node, one, "images")));
  const linked = linkedVmIds(volumes.flat(), vmId);
  if (linked.length === 0) return [];
  const guests = new Map((await listGuests(client)).map((guest) => [guest.vmid, guest]));
  return linked.map((id) => linkedName(id, guests.get(id)));
}
