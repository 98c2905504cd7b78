import type { Work } from "./work.ts";

export interface PoolApi {
  intoPool(pool: string, vmId: number): Promise<void>;
  outOfPool(pool: string, vmId: number): Promise<void>;
}

/** Puts the VM into its pool, or out of the one that the config has taken away. */
export async function intoPool(api: PoolApi, { inputs, state, messages }: Work): Promise<void> {
  const { pool, vmId, name } = inputs;
  const { pool: had, ...rest } = state.spec;
  if (pool === had) return;
  if (pool !== undefined) {
    messages.report(`moving ${name} to pool ${pool}`);
    await api.intoPool(pool, vmId);
    state.spec = { ...rest, pool };
  } else if (had !== undefined) {
    messages.report(`taking ${name} out of pool ${had}`);
    await api.outOfPool(had, vmId);
    state.spec = rest;
  }
}
