import type { dynamic } from "@pulumi/pulumi";

/** Reads one value of the stack config; what the engine gives to `configure`. */
export type ConfigReader = Pick<dynamic.Config, "get">;

/**
 * What a provider's module exports as `provider`. Every method gets the stack config first.
 *
 * An error with an `id` and a `state` is a failure that leaves something behind: the engine keeps the resource with that
 * state, and ends the run with the error.
 */
export interface Handlers<Inputs, State> {
  /** Version of `State`. What this version cannot read, `migrations` brings to it. */
  stateVersion: number;
  /** From a version to the next. States without a version are of version 1. */
  migrations?: Readonly<Record<number, (old: object) => object>>;
  /**
   * What of the stack the inputs lack: a run may leave out what has never been made, and the engine goes on without it.
   * Nothing is created or updated then.
   */
  missing?(inputs: Inputs): string[];
  /** Completes or refuses inputs; also runs at preview. Only called for a shell with `checks`. */
  check?(config: ConfigReader, olds: Partial<Inputs>, news: Inputs): Promise<dynamic.CheckResult<Inputs>>;
  diff(config: ConfigReader, id: string, olds: State, news: Inputs): Promise<dynamic.DiffResult>;
  create(config: ConfigReader, inputs: Inputs): Promise<{ id: string; outs: State }>;
  /** undefined: it is gone. */
  read(config: ConfigReader, id: string, state: State): Promise<{ outs: State; inputs?: Inputs } | undefined>;
  update(config: ConfigReader, id: string, olds: State, news: Inputs): Promise<State>;
  delete(config: ConfigReader, id: string, state: State): Promise<void>;
}
