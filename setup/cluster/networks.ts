import type { PveClient } from "../../proxmox/client.ts";

/** A bridge of a node, or a vnet of SDN. */
export interface Bridge {
  /** What goes into `network.bridge`. */
  name: string;
  kind: "bridge" | "OVSBridge" | "vnet";
  /** Of the administrator: a bridge's comment, a vnet's alias. */
  comment?: string;
  /** SDN zone of a vnet. */
  zone?: string;
  active?: boolean;
  vlanAware?: boolean;
  /** The node's own network there, `10.0.0.11/24`; the guests' usually is the same. */
  cidr?: string;
  /** The node's default gateway, if it is on this network. */
  gateway?: string;
  cidr6?: string;
  gateway6?: string;
}

/** Bridges and vnets of a node that the login may use; the one with the node's default gateway first. */
export function listBridges(_client: PveClient, _node: string): Promise<Bridge[]> {
  throw new Error("not there yet");
}
