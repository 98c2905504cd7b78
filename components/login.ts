import { Provider } from "@muhlba91/pulumi-proxmoxve/provider.js";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../config/cluster.ts";
import { readLocalFile } from "../config/files.ts";
import type { Login } from "../config/login.ts";

/** The proxmoxve plugin's login: the API for VMs, SSH for snippets. */
export function proxmoxProvider({ endpoint, tls, ssh }: Cluster, login: Login, opts: pulumi.ResourceOptions): Provider {
  const key = ssh?.privateKeyFile ? readLocalFile(ssh.privateKeyFile) : undefined;
  const nodes = Object.entries(ssh?.nodes ?? {}).flatMap(([name, { address, port }]) =>
    address === undefined ? [] : { name, address, port },
  );
  return new Provider(
    "proxmoxve",
    {
      endpoint,
      insecure: tls.insecure,
      ...(login.kind === "token"
        ? { apiToken: pulumi.secret(`${login.id}=${login.secret}`) }
        : { username: pulumi.secret(login.username), password: pulumi.secret(login.password) }),
      ...(ssh && {
        ssh: {
          username: ssh.username,
          nodes,
          ...(key && "text" in key ? { privateKey: pulumi.secret(key.text) } : { agent: true }),
        },
      }),
    },
    opts,
  );
}
