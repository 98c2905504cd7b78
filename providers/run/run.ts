import type { Cluster } from "../../config/cluster.ts";
import type { Resolved } from "../../config/resolved.ts";
import type { PveClient } from "../../proxmox/client.ts";
import { Deletions } from "./deletions.ts";
import { Limiter } from "./limits.ts";
import { NodeMemory } from "./nodeMemory.ts";
import { isOutage } from "./outage.ts";
import { Queues } from "./queues.ts";
import { Rollouts } from "./rollout.ts";
import { SetsProgress } from "./setProgress.ts";
import { VmLists } from "./vmLists.ts";

/** For tests, which have less time. */
export interface Pace {
  /** How long a list of VMs counts as the present, in milliseconds. */
  freshMs?: number;
  /** How long nothing else may have been deleted before a failed deletion is told, in milliseconds. */
  quietMs?: number;
}

/** All that one run of the engine remembers of a cluster: its resources share one process, and this. */
export class Run {
  readonly client: PveClient;
  readonly cluster: Cluster;
  readonly limiter: Limiter;
  readonly rollouts = new Rollouts();
  readonly nodeMemory: NodeMemory;
  readonly vmLists: VmLists;
  readonly deletions: Deletions;
  readonly progress = new SetsProgress();
  /** Warnings that were told of one clone, and are not told of each that fares alike. */
  readonly told = new Set<string>();
  /** VMIDs of the clones that this run has made or taken up. */
  readonly created = new Set<number>();
  /** By VMID of a template: the URNs that its conversion has, and had in the state, as far as the engine has asked for it. */
  readonly conversions = new Map<number, Set<string>>();
  /** Image files that this run has asked for: they are verified, and not removed by the same run. */
  readonly heldImages = new Set<string>();
  readonly imageQueues = new Queues();
  /** What the config leaves to the cluster, once preflight was told. */
  resolved: Resolved = {};
  #outage: Error | undefined;

  constructor(client: PveClient, cluster: Cluster, { freshMs, quietMs }: Pace = {}) {
    this.client = client;
    this.cluster = cluster;
    this.limiter = new Limiter(client, cluster.limits);
    this.nodeMemory = new NodeMemory(client);
    this.vmLists = new VmLists(client, freshMs === undefined ? {} : { freshMs });
    this.deletions = new Deletions(quietMs === undefined ? {} : { quietMs });
  }

  /** What went wrong with the cluster as a whole in this run. */
  get outage(): Error | undefined {
    return this.#outage;
  }

  /** Notes an error; true: it is the cluster's, and the first of its kind. */
  isNewOutage(error: unknown): boolean {
    if (this.#outage || !isOutage(error)) return false;
    this.#outage = error as Error;
    return true;
  }
}
