import type { PveClient } from "../../proxmox/client.ts";

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

/**
 * The addresses that the cluster knows: of nodes, in the configs of guests, and of running guests with an agent. Somebody
 * outside the cluster may have others: nobody can know them here.
 */
export function readUsedAddresses(_client: PveClient): Promise<UsedAddresses> {
  throw new Error("not there yet");
}

/** What is wrong with a range of addresses for clones. */
export interface RangeProblem {
  /** `fail`: it cannot be; `warn`: it may be what the user wants. */
  severity: "fail" | "warn";
  text: string;
}

/**
 * Looks at a range before it goes into a config: its form, its size, who has one of its addresses, and the gateway.
 *
 * @param range `10.0.0.21-10.0.0.70/24`
 * @param count addresses that are needed
 */
export function checkRange(
  _range: string,
  _count: number,
  _options: { used?: readonly UsedAddress[]; gateway?: string; bridgeCidr?: string } = {},
): RangeProblem[] {
  throw new Error("not there yet");
}
