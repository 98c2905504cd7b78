import type { PveClient } from "./client.ts";
import { ProxmoxError } from "./errors.ts";
import { type GuestConfig, isMissing, isUnknownNode, isUnreachable, listGuests, readConfig } from "./guests.ts";

/** What stands on a VMID, and where. */
export type Whereabouts =
  | { kind: "absent" }
  /** The cluster knows it, but its node does not answer. */
  | { kind: "unreachable"; node: string; name?: string | undefined }
  | { kind: "container"; node: string; name?: string | undefined }
  | { kind: "vm"; node: string; config: GuestConfig };

/** How often a VM may move while it is looked for. */
const MOVES = 5;

type Read = { config: GuestConfig } | "missing" | "unreachable";

async function read(client: PveClient, node: string, vmId: number): Promise<Read> {
  try {
    const config = await readConfig(client, node, vmId);
    return config ? { config } : "missing";
  } catch (error) {
    if (isUnreachable(error)) return "unreachable";
    if (isUnknownNode(error) || isMissing(error)) return "missing";
    throw error;
  }
}

/**
 * Looks a VMID up in the whole cluster: on the node where it is likely to be, and where that misses, on the one that the
 * cluster's list names. People, HA and the load balancer move VMs.
 *
 * @param hint node where it was last
 */
export async function whereIs(client: PveClient, vmId: number, hint?: string): Promise<Whereabouts> {
  const first = hint ? await read(client, hint, vmId) : "missing";
  if (hint && typeof first === "object") return { kind: "vm", node: hint, config: first.config };
  for (let moves = 0; moves < MOVES; moves++) {
    const entry = (await listGuests(client)).find(({ vmid }) => vmid === vmId);
    if (!entry) return { kind: "absent" };
    const { node, type, name } = entry;
    if (type !== "qemu") return { kind: "container", node, name };
    // A node that does not answer takes seconds to say so: it is not asked twice.
    const found = moves === 0 && node === hint && first === "unreachable" ? first : await read(client, node, vmId);
    if (typeof found === "object") return { kind: "vm", node, config: found.config };
    if (found === "unreachable") return { kind: "unreachable", node, name };
  }
  throw new ProxmoxError("moving", `VM ${vmId} is listed by the cluster, but no node has it; it is being moved`);
}
