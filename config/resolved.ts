import type { ExistingQuery, TemplateFacts } from "./existing.ts";

/** What a clone has of the ranges of its set. */
export interface Chosen {
  vmId?: number;
  /** With its prefix: `10.0.0.21/24`. */
  ip?: string;
  ip6?: string;
  /** Its number in a counted set. */
  n?: number;
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
  /** Its clones in their order, with what the config says itself; `n` in a counted set. */
  clones: { name: string; vmId?: number; ip?: string; ip6?: string; n?: number }[];
  /** It makes no clones: what they have stays, and nothing new is chosen. */
  makesNone: boolean;
  vmIds?: string;
  ips?: string;
  ip6s?: string;
  /** Addresses without prefix that the config gives to something else: gateways, and other interfaces of the set's clones. */
  reserved: string[];
}

/** What the config leaves to the cluster. */
export interface Open {
  existing: Record<string, { path: string; query: ExistingQuery }>;
  sets: Record<string, OpenSet>;
}
