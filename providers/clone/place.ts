import type { PveClient } from "../../proxmox/client.ts";
import { listNodes } from "../../proxmox/cluster.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { readConfig } from "../../proxmox/guests.ts";
import type { CloneInputs, Place } from "./inputs.ts";

/** Free memory of each node that is online, in bytes: as PVE says when it is asked first, less what this run puts there. */
const ledgers = new WeakMap<PveClient, Promise<Map<string, number>>>();

function ledgerOf(client: PveClient): Promise<Map<string, number>> {
  const known =
    ledgers.get(client) ??
    listNodes(client).then(
      (nodes) =>
        new Map(
          nodes
            .filter(({ status }) => status === "online")
            .map(({ node, mem = 0, maxmem = 0 }): [string, number] => [node, maxmem - mem]),
        ),
    );
  ledgers.set(client, known);
  return known;
}

/** Memory of the clone in bytes: its own, or its template's. */
async function memoryOf(client: PveClient, { memoryMiB }: CloneInputs, place: Place): Promise<number> {
  const config = memoryMiB ?? (await readConfig(client, place.sourceNode ?? place.node, place.sourceVmId))?.memory;
  return Number(config ?? 512) * 2 ** 20;
}

/**
 * Where a new clone goes.
 *
 * @throws ProxmoxError if none of its nodes is online
 */
export async function choosePlace(client: PveClient, inputs: CloneInputs): Promise<Place> {
  const { places, placement = "spread" } = inputs;
  const [first] = places;
  if (!first) throw new ProxmoxError("no-place", "the clone has no node to be on");
  if (places.length === 1 || placement === "spread") return first;
  const needed = await memoryOf(client, inputs, first);
  // Nothing is awaited from here on: two clones must not be promised the same memory.
  const ledger = await ledgerOf(client);
  const free = ({ node }: Place) => ledger.get(node) ?? Number.NEGATIVE_INFINITY;
  const emptiest = places.reduce((best, one) => (free(one) > free(best) ? one : best));
  const chosen = placement === "packed" ? (places.find((one) => free(one) >= needed) ?? emptiest) : emptiest;
  if (!ledger.has(chosen.node))
    throw new ProxmoxError("no-place", `none of its nodes is online: ${places.map(({ node }) => node).join(", ")}`);
  ledger.set(chosen.node, free(chosen) - needed);
  return chosen;
}
