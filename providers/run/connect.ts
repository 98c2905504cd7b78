import type { LoadedConfig } from "../../config/load.ts";
import { KEYS, loadConfig } from "../../config/load.ts";
import { ConfigError } from "../../config/problem.ts";
import type { Resolved } from "../../config/resolved.ts";
import { type Connection, PveClient } from "../../proxmox/client.ts";
import type { ConfigReader } from "../dynamic/handlers.ts";
import { connectionOf } from "./connection.ts";
import { Run } from "./run.ts";

/** The stack config as the dynamic-provider host has it. */
export function readStackConfig(config: ConfigReader, resolved?: Resolved): LoadedConfig {
  const read = (key: string) => config.get(key);
  return loadConfig(
    read,
    KEYS.filter((key) => read(key) !== undefined),
    process.env,
    [],
    resolved,
  );
}

const clients = new Map<string, PveClient>();
const runs = new Map<PveClient, Run>();
const known = new WeakMap<ConfigReader, Run>();

/** All that has to do with one cluster shares the login and the connections of this process. */
export function clientOf(connection: Connection): PveClient {
  const key = JSON.stringify(connection);
  const client = clients.get(key) ?? new PveClient(connection);
  clients.set(key, client);
  return client;
}

/** The run that a stack config belongs to: the host of the dynamic providers lives as long as one run of the engine. */
export function runOf(config: ConfigReader): Run {
  // The config is read once, not for every call of every clone.
  const before = known.get(config);
  if (before) return before;
  const { cluster, login, problems } = readStackConfig(config);
  if (!cluster || !login) {
    // What stands in the other sections may be secret, and is not what this is about.
    const own = problems.filter(({ path }) => !/^(templates|cloneSets)\b/.test(path));
    throw new ConfigError(own, "Without cluster and login nothing can be done.");
  }
  const client = clientOf(connectionOf({ cluster, login }));
  const run = runs.get(client) ?? new Run(client, cluster);
  runs.set(client, run);
  known.set(config, run);
  return run;
}

/** For tests: the run that a config has from now on. */
export function setRun(config: ConfigReader, run: Run): void {
  known.set(config, run);
}
