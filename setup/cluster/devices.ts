import type { PveClient } from "../../proxmox/client.ts";
import { listMappings } from "../../proxmox/cluster.ts";
import { parseProperties } from "../../proxmox/propertyString.ts";

/** A PCI mapping of the cluster (Datacenter > Resource Mappings). */
export interface NodeMapping {
  id: string;
  description?: string;
  /** Devices that it has on the node. */
  devices: number;
  /** Mediated devices: several VMs share one. */
  mdev: boolean;
  /** What PVE finds wrong with it on this node. */
  problems: string[];
}

/** The PCI mappings that the login may see, with a device on the node. */
export async function listNodeMappings(client: PveClient, node: string): Promise<NodeMapping[]> {
  const all = await listMappings(client, node, "pci");
  return all.flatMap(({ id, map, checks = [], description, mdev }) => {
    const devices = map.filter((entry) => parseProperties(entry).get("node") === node).length;
    if (devices === 0) return [];
    const problems = checks.map(({ message }) => message.trim());
    return [{ id, ...(description && { description }), devices, mdev: Number(mdev ?? 0) === 1, problems }];
  });
}
