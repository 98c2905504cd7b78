import type { Params, PveClient } from "./client.ts";
import { answerOf } from "./errors.ts";
import { isTransient, withRetry } from "./retry.ts";

/** Changes who is in a pool; PVE refuses what is so already. */
async function changePool(client: PveClient, options: Params, isSo: RegExp): Promise<void> {
  const put = async () => {
    try {
      await client.put("/pools", options);
    } catch (error) {
      if (!isSo.test(answerOf(error))) throw error;
    }
  };
  await withRetry(put, { when: isTransient, pauseMs: client.pauseMs });
}

/** Puts a VM into a pool, out of the one that it is in; one that is in the pool already is fine. */
export const intoPool = (client: PveClient, pool: string, vmId: number): Promise<void> =>
  changePool(client, { poolid: pool, vms: String(vmId), "allow-move": true }, /is already a pool member/i);

/** Takes a VM out of a pool; one that is not in it is fine. */
export const outOfPool = (client: PveClient, pool: string, vmId: number): Promise<void> =>
  changePool(
    client,
    { poolid: pool, vms: String(vmId), delete: true },
    /is not a pool member|pool '.*' does not exist/i,
  );
