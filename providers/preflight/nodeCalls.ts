import type { NodeEntry } from "../../proxmox/cluster.ts";
import { isUnreachable } from "../../proxmox/guests.ts";
import { NotAsked } from "./finding.ts";

/** Thrown instead of an answer of a node that is down. */
export class NodeDown extends NotAsked {}

/**
 * Calls to single nodes. One that is down is not asked: each question would take PVE seconds to say so. The cluster's list
 * knows of it after a while; until then, the first question that is not answered says it for all that follow.
 */
export class NodeCalls {
  readonly #nodes: () => Promise<NodeEntry[]>;
  readonly #silent = new Set<string>();

  constructor(nodes: () => Promise<NodeEntry[]>) {
    this.#nodes = nodes;
  }

  /** @throws NotAsked if there is no such node, or it is down */
  async ask<T>(node: string, question: () => Promise<T>): Promise<T> {
    const found = (await this.#nodes()).find((one) => one.node === node);
    if (!found) throw new NotAsked(`there is no node ${node}, see node-exists`);
    if (found.status === "offline") throw new NodeDown(`node ${node} is offline, see node-online`);
    if (this.#silent.has(node)) throw this.noAnswer(node);
    try {
      return await question();
    } catch (error) {
      throw isUnreachable(error) ? this.noAnswer(node) : error;
    }
  }

  /** Notes that a node did not answer. */
  noAnswer(node: string): NodeDown {
    this.#silent.add(node);
    return new NodeDown(`node ${node} does not answer, see node-online`);
  }
}
