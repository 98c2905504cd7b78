import type { PveClient } from "./client.ts";
import { isVmIdTaken } from "./cluster.ts";
import { ApiError, ProxmoxError } from "./errors.ts";
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

/** `hidden`: the login may not look at a VM of this VMID, whether there is one or not. */
type Read = { config: GuestConfig } | "missing" | "unreachable" | "hidden";

async function read(client: PveClient, node: string, vmId: number): Promise<Read> {
  try {
    const config = await readConfig(client, node, vmId);
    return config ? { config } : "missing";
  } catch (error) {
    if (isUnreachable(error)) return "unreachable";
    if (isUnknownNode(error) || isMissing(error)) return "missing";
    if (error instanceof ApiError && error.status === 403) return "hidden";
    throw error;
  }
}

/**
 * Looks a VMID up in the whole cluster: on the node where it is likely to be, and where that misses, on the one that the
 * cluster's list names. People, HA and the load balancer move VMs.
 *
 * @param hint node where it was last
 * @throws ProxmoxError if the VMID is taken, and the login may not see by what
 */
export async function whereIs(client: PveClient, vmId: number, hint?: string): Promise<Whereabouts> {
  const first = hint ? await read(client, hint, vmId) : "hidden";
  if (hint && typeof first === "object") return { kind: "vm", node: hint, config: first.config };
  for (let moves = 0; moves < MOVES; moves++) {
    const entry = (await listGuests(client)).find(({ vmid }) => vmid === vmId);
    if (!entry) {
      // The list has only what the login may see, which for one with rights on a pool is what is in it.
      if (first !== "hidden" || !(await isVmIdTaken(client, vmId))) return { kind: "absent" };
      throw new ProxmoxError(
        "hidden",
        `VMID ${vmId} is taken by a guest that this login may not see (no VM.Audit on it)`,
      );
    }
    const { node, type, name } = entry;
    if (type !== "qemu") return { kind: "container", node, name };
    // A node that does not answer takes seconds to say so: it is not asked twice.
    const found = moves === 0 && node === hint && first === "unreachable" ? first : await read(client, node, vmId);
    if (typeof found === "object") return { kind: "vm", node, config: found.config };
    if (found === "unreachable") return { kind: "unreachable", node, name };
  }
  throw new ProxmoxError("moving", `VM ${vmId} is listed by the cluster, but no node has it; it is being moved`);
}
