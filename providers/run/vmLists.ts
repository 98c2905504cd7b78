import type { PveClient } from "../../proxmox/client.ts";
import { listGuests, listNodeVms, type PowerStatus } from "../../proxmox/guests.ts";
import { Cache } from "./cache.ts";

/** How long a list counts as the present, in milliseconds. */
const FRESH_MS = 2000;

/**
 * Lists of VMs, each asked for once for all who look at about the same time: a refresh looks at many. The node's list says
 * what runs now; the cluster's, whose status is ten seconds late, says which pool a VM is in.
 */
export class VmLists {
  readonly #client: PveClient;
  readonly #freshMs: number;
  readonly #statuses = new Cache<Map<number, PowerStatus>>();
  readonly #pools = new Cache<Map<number, string | undefined>>();

  constructor(client: PveClient, { freshMs = FRESH_MS } = {}) {
    this.#client = client;
    this.#freshMs = freshMs;
  }

  async statusOf(node: string, vmId: number): Promise<PowerStatus | undefined> {
    const list = this.#fresh(this.#statuses, node, async () => {
      const vms = await listNodeVms(this.#client, node);
      return new Map(vms.map(({ vmid, status }) => [vmid, status]));
    });
    return (await list).get(vmId);
  }

  async poolOf(vmId: number): Promise<string | undefined> {
    const list = this.#fresh(this.#pools, "", async () => {
      const guests = await listGuests(this.#client);
      return new Map(guests.map(({ vmid, pool }) => [vmid, pool]));
    });
    return (await list).get(vmId);
  }

  #fresh<T>(cache: Cache<T>, key: string, ask: () => Promise<T>): Promise<T> {
    return cache.get(key, async () => {
      const answer = await ask();
      setTimeout(() => cache.forget(key), this.#freshMs).unref();
      return answer;
    });
  }
}
