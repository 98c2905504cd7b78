import type { PveClient } from "../../proxmox/client.ts";
import { listNodes } from "../../proxmox/cluster.ts";
import { Cache } from "./cache.ts";

/** Free memory of each node that is online, in bytes: as PVE says when it is asked first, less what this run puts there. */
export class NodeMemory {
  readonly #client: PveClient;
  readonly #free = new Cache<Map<string, number>>();

  constructor(client: PveClient) {
    this.#client = client;
  }

  free(): Promise<Map<string, number>> {
    return this.#free.get("", async () => {
      const online = (await listNodes(this.#client)).filter(({ status }) => status === "online");
      return new Map(online.map(({ node, mem = 0, maxmem = 0 }) => [node, maxmem - mem]));
    });
  }
}
