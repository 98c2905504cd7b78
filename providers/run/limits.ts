import pLimit, { type LimitFunction } from "p-limit";
import type { PveClient } from "../../proxmox/client.ts";
import { listDatastores } from "../../proxmox/storage.ts";
import { Cache } from "./cache.ts";

export interface Limits {
  clonesPerTemplate: number;
  clonesPerDatastore: number;
}

export interface Slot {
  node: string;
  datastore: string;
  /** VMID of the template, if it is cloned. */
  sourceVmId?: number;
  /** Told when others are before this one. */
  onWait: (text: string) => void;
}

/** What a node does at a time, by kind. */
const PER_NODE = {
  /** Guests that are started, shut down, rebooted or snapshotted: each is a process of PVE's, which may last for minutes. */
  task: 16,
  /** Guests that migrate away: their disks and memory share the node's network. */
  migration: 4,
  /** Guests whose agent is waited for: an ask that nobody answers keeps one of pvedaemon's three workers busy for three seconds. */
  guest: 8,
};

export interface NodeSlot {
  node: string;
  kind: keyof typeof PER_NODE;
  /** Told when others are before this one. */
  onWait: (text: string) => void;
}

function sayIfFull({ activeCount, concurrency }: LimitFunction, where: string, onWait: Slot["onWait"]): void {
  if (activeCount >= concurrency) onWait(`waiting for its turn: ${concurrency} at a time on ${where}`);
}

/**
 * How many tasks may write to a datastore, and clone a template, at a time: they wait for the datastore's lock, and fail when
 * that takes ten seconds. A shared datastore has one lock for all nodes.
 */
export class Limiter {
  readonly #client: PveClient;
  readonly #limits: Limits;
  readonly #shared = new Cache<ReadonlySet<string>>();
  readonly #queues = new Map<string, LimitFunction>();

  constructor(client: PveClient, limits: Limits) {
    this.#client = client;
    this.#limits = limits;
  }

  /** Runs work when it is its turn. */
  async run<T>({ node, datastore, sourceVmId, onWait }: Slot, work: () => Promise<T>): Promise<T> {
    const { clonesPerDatastore, clonesPerTemplate } = this.#limits;
    const isShared = (await this.#sharedDatastores(node)).has(datastore);
    const byDatastore = this.#queue(isShared ? datastore : `${node}/${datastore}`, clonesPerDatastore);
    const byTemplate = sourceVmId === undefined ? undefined : this.#queue(`${node}/${sourceVmId}`, clonesPerTemplate);
    sayIfFull(byDatastore, datastore, onWait);
    // Always in this order, so that nobody waits for somebody who waits for him.
    return byDatastore(() => (byTemplate ? byTemplate(work) : work()));
  }

  /** Runs what a node does with a guest when it is its turn there. */
  onNode<T>({ node, kind, onWait }: NodeSlot, work: () => Promise<T>): Promise<T> {
    const queue = this.#queue(`${kind} on ${node}`, PER_NODE[kind]);
    sayIfFull(queue, node, onWait);
    return queue(work);
  }

  #queue(key: string, size: number): LimitFunction {
    const queue = this.#queues.get(key) ?? pLimit(size);
    this.#queues.set(key, queue);
    return queue;
  }

  /** Names of the datastores that a node shares with others. If PVE does not tell, each counts as the node's own. */
  async #sharedDatastores(node: string): Promise<ReadonlySet<string>> {
    const ask = async () => {
      const all = await listDatastores(this.#client, node);
      return new Set(all.filter(({ shared }) => shared === 1).map(({ storage }) => storage));
    };
    return this.#shared.get(node, ask).catch(() => new Set<string>());
  }
}
