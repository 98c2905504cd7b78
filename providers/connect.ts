import type { Cluster } from "../config/cluster.ts";
import type { LoadedConfig } from "../config/load.ts";
import { KEYS, loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import { type Connection, PveClient } from "../proxmox/client.ts";
import { connectionOf } from "./connection.ts";
import type { ConfigReader } from "./dynamic/handlers.ts";

/** The stack config as the dynamic-provider host has it. */
export function readStackConfig(config: ConfigReader): LoadedConfig {
  const read = (key: string) => config.get(key);
  return loadConfig(
    read,
    KEYS.filter((key) => read(key) !== undefined),
    process.env,
  );
}

const clients = new Map<string, PveClient>();
const known = new WeakMap<ConfigReader, Access>();

/** The cluster as the config describes it, and the way to it. */
export interface Access {
  client: PveClient;
  cluster: Cluster;
}

/** All that has to do with one cluster shares the login and the connections of this process. */
export function clientOf(connection: Connection): PveClient {
  const key = JSON.stringify(connection);
  const client = clients.get(key) ?? new PveClient(connection);
  clients.set(key, client);
  return client;
}

export function access(config: ConfigReader): Access {
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
  known.set(config, { client, cluster });
  return { client, cluster };
}

export const connect = (config: ConfigReader): PveClient => access(config).client;
