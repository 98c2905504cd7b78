import pLimit, { type LimitFunction } from "p-limit";
import type { PveClient } from "../../proxmox/client.ts";
import { listDatastores } from "../../proxmox/storage.ts";
import type { Report } from "../dynamic/progress.ts";

export interface Limits {
  clonesPerTemplate: number;
  clonesPerDatastore: number;
}

const limits = new Map<string, LimitFunction>();

function limitOf(key: string, size: number): LimitFunction {
  const limit = limits.get(key) ?? pLimit(size);
  limits.set(key, limit);
  return limit;
}

const shared = new WeakMap<PveClient, Map<string, Promise<ReadonlySet<string>>>>();

/** Names of the datastores that a node shares with others; asked once a run. */
function sharedDatastores(client: PveClient, node: string): Promise<ReadonlySet<string>> {
  const byNode = shared.get(client) ?? new Map<string, Promise<ReadonlySet<string>>>();
  shared.set(client, byNode);
  const known =
    byNode.get(node) ??
    listDatastores(client, node).then(
      (all) => new Set(all.filter((one) => one.shared === 1).map(({ storage }) => storage)),
      () => new Set<string>(),
    );
  byNode.set(node, known);
  return known;
}

export interface Turn {
  node: string;
  datastore: string;
  /** VMID of the template, if it is cloned. */
  sourceVmId?: number;
}

/**
 * Runs work when it is its turn: tasks that write to a datastore wait for its lock, and fail when that takes ten seconds.
 * A shared datastore has one lock for all nodes.
 */
export async function inTurn<T>(
  client: PveClient,
  { node, datastore, sourceVmId }: Turn,
  { clonesPerTemplate, clonesPerDatastore }: Limits,
  report: Report,
  work: () => Promise<T>,
): Promise<T> {
  const isShared = (await sharedDatastores(client, node)).has(datastore);
  const byDatastore = limitOf(isShared ? datastore : `${node}/${datastore}`, clonesPerDatastore);
  const byTemplate = sourceVmId === undefined ? undefined : limitOf(`${node}/${sourceVmId}`, clonesPerTemplate);
  if (byDatastore.activeCount >= clonesPerDatastore)
    report(`waiting for its turn: ${clonesPerDatastore} at a time on ${datastore}`);
  // Always in this order, so that nobody waits for somebody who waits for him.
  return byDatastore(() => (byTemplate ? byTemplate(work) : work()));
}
