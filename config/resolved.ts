import type { ExistingQuery, TemplateFacts } from "./existing.ts";

/** What a clone was given from the ranges of its set. */
export interface Chosen {
  vmId?: number;
  /** With its prefix: `10.0.0.21/24`. */
  ip?: string;
  ip6?: string;
}

/** By key of the clone set, and by name of the clone. */
export type Choices = Record<string, Record<string, Chosen>>;

/** What the config leaves to the cluster, as it was found there. */
export interface Resolved {
  /** Templates that were made elsewhere, by key. */
  existing?: Record<string, TemplateFacts>;
  chosen?: Choices;
}

/** A clone set that leaves VMIDs or addresses of its clones to the cluster. */
export interface OpenSet {
  path: string;
  /** Its clones in their order, with what the config says itself. */
  clones: { name: string; vmId?: number; ip?: string; ip6?: string }[];
  isCounted: boolean;
  /** It makes no clones: only what it has been given before counts. */
  isClosed: boolean;
  vmIds?: string;
  ips?: string;
  ip6s?: string;
  /** Addresses that are no clone's. */
  reserved: string[];
}

/** What the config leaves to the cluster. */
export interface Open {
  existing: Record<string, { path: string; query: ExistingQuery }>;
  sets: Record<string, OpenSet>;
}
