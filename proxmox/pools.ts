import type { PveClient } from "./client.ts";
import { answerOf } from "./errors.ts";
import { isTransient, withRetry } from "./retry.ts";

/** Puts a VM into a pool, out of the one that it is in. */
export async function intoPool(client: PveClient, pool: string, vmId: number): Promise<void> {
  const put = () => client.put("/pools", { poolid: pool, vms: String(vmId), "allow-move": true });
  await withRetry(put, { when: isTransient, pauseMs: client.pauseMs });
}

/** Takes a VM out of a pool; one that is not in it is fine. */
export async function outOfPool(client: PveClient, pool: string, vmId: number): Promise<void> {
  const put = async () => {
    try {
      await client.put("/pools", { poolid: pool, vms: String(vmId), delete: true });
    } catch (error) {
      if (!/is not a pool member|pool '.*' does not exist/i.test(answerOf(error))) throw error;
    }
  };
  await withRetry(put, { when: isTransient, pauseMs: client.pauseMs });
}
