import type { PveClient } from "../../proxmox/client.ts";

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
export function listNodeMappings(_client: PveClient, _node: string): Promise<NodeMapping[]> {
  throw new Error("not there yet");
}
