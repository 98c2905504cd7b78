import type { PveClient } from "../../proxmox/client.ts";
import { listNodeVms, type PowerStatus } from "../../proxmox/guests.ts";

/** How long a list counts as the present, in milliseconds; tests have less time. */
export const freshness = { ms: 2000 };

interface List {
  at: number;
  vms: Promise<Map<number, PowerStatus>>;
}

const lists = new WeakMap<PveClient, Map<string, List>>();

/**
 * Whether a VM runs now, by one request for all VMs of its node: a refresh looks at many at the same time. (The cluster's
 * own list would be one request for all nodes, but it is ten seconds late.)
 */
export async function liveStatus(client: PveClient, node: string, vmId: number): Promise<PowerStatus | undefined> {
  const byNode = lists.get(client) ?? new Map<string, List>();
  lists.set(client, byNode);
  const known = byNode.get(node);
  const list =
    known && performance.now() - known.at < freshness.ms
      ? known
      : {
          at: performance.now(),
          vms: listNodeVms(client, node).then((vms) => new Map(vms.map(({ vmid, status }) => [vmid, status]))),
        };
  byNode.set(node, list);
  return (await list.vms).get(vmId);
}
