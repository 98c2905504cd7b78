import { ProxmoxError } from "../../../proxmox/errors.ts";
import type { GuestConfig } from "../../../proxmox/guests.ts";
import { type Holder, heldText } from "../holders.ts";
import type { CloneInputs, Place } from "../inputs.ts";

export interface PlaceApi {
  readConfig(node: string, vmId: number): Promise<GuestConfig | undefined>;
  /** Free memory in bytes of each node that is online; what is promised to a clone is taken off it. */
  freeMemory(): Promise<Map<string, number>>;
}

/** Memory of the clone in bytes: its own, or its template's. */
async function memoryOf(api: PlaceApi, { memoryMiB }: CloneInputs, place: Place): Promise<number> {
  const memory = memoryMiB ?? (await api.readConfig(place.sourceNode ?? place.node, place.sourceVmId))?.memory;
  return Number(memory ?? 512) * 2 ** 20;
}

/**
 * Where a new clone goes: to the node of its disks, if there are any of an earlier one.
 *
 * @throws ProxmoxError if none of its nodes is online
 */
export async function place(api: PlaceApi, inputs: CloneInputs, holder?: Holder): Promise<Place> {
  const { places, placement = "spread" } = inputs;
  if (holder && heldText(holder.config) !== "") {
    const there = places.find(({ node }) => node === holder.node);
    if (there) return there;
    throw new ProxmoxError(
      "no-place",
      `its disks wait in VM ${holder.vmId} on node ${holder.node}, and PVE gives them to no VM of another node, but it may be on ${places.map(({ node }) => node).join(", ")} alone: put ${holder.node} back into \`nodes\`, or migrate VM ${holder.vmId}`,
    );
  }
  const [first] = places;
  if (!first) throw new ProxmoxError("no-place", "the clone has no node to be on");
  if (places.length === 1 || placement === "spread") return first;
  const needed = await memoryOf(api, inputs, first);
  const memory = await api.freeMemory();
  // From here on nothing is awaited: two clones must not be promised the same memory.
  const free = ({ node }: Place) => memory.get(node) ?? Number.NEGATIVE_INFINITY;
  const emptiest = places.reduce((best, one) => (free(one) > free(best) ? one : best));
  const chosen = placement === "packed" ? (places.find((one) => free(one) >= needed) ?? emptiest) : emptiest;
  if (!memory.has(chosen.node))
    throw new ProxmoxError("no-place", `none of its nodes is online: ${places.map(({ node }) => node).join(", ")}`);
  memory.set(chosen.node, free(chosen) - needed);
  return chosen;
}
