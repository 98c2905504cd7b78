import type { Cluster } from "../../config/cluster.ts";
import { localPath } from "../../config/files.ts";
import type { Login } from "../../config/login.ts";
import type { Connection } from "../../proxmox/client.ts";

/** How to reach the API. */
export function connectionOf({ cluster, login }: { cluster: Cluster; login: Login }): Connection {
  const { caFile, fingerprint, insecure } = cluster.tls;
  return {
    endpoint: cluster.endpoint,
    tls: { insecure, ...(caFile && { caFile: localPath(caFile) }), ...(fingerprint && { fingerprint }) },
    login,
  };
}
