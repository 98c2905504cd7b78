import type { Cluster } from "../config/cluster.ts";
import { localPath } from "../config/files.ts";
import type { LoadedConfig } from "../config/load.ts";
import { KEYS, loadConfig } from "../config/load.ts";
import type { Login } from "../config/login.ts";
import { ConfigError } from "../config/problem.ts";
import { type Connection, PveClient } from "../proxmox/client.ts";
import type { ConfigReader } from "./handlers.ts";

/** The stack config as the dynamic-provider host has it. */
export function readStackConfig(config: ConfigReader): LoadedConfig {
  const read = (key: string) => config.get(key);
  return loadConfig(
    read,
    KEYS.filter((key) => read(key) !== undefined),
    process.env,
  );
}

/** How to reach the API. */
export function connectionOf({ cluster, login }: { cluster: Cluster; login: Login }): Connection {
  const { caFile, fingerprint, insecure } = cluster.tls;
  return {
    endpoint: cluster.endpoint,
    tls: { insecure, ...(caFile && { caFile: localPath(caFile) }), ...(fingerprint && { fingerprint }) },
    login,
  };
}

let shared: { key: string; client: PveClient } | undefined;

/** The client of this process: all resources share its login and its connections. */
export function connect(config: ConfigReader): PveClient {
  const { cluster, login, problems } = readStackConfig(config);
  if (!cluster || !login) throw new ConfigError(problems, "Without cluster and login nothing can be done.");
  const connection = connectionOf({ cluster, login });
  const key = JSON.stringify(connection);
  if (shared?.key !== key) shared = { key, client: new PveClient(connection) };
  return shared.client;
}
