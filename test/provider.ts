import type { Lab } from "../lab/lab.ts";
import type { ConfigReader } from "../providers/dynamic/handlers.ts";
import { PveClient } from "../proxmox/client.ts";

/** The stack config of a lab, for tests that call a provider's module as its host does. */
export function configOf(lab: Lab): ConfigReader {
  const values: Record<string, string> = {
    cluster: JSON.stringify({ endpoint: lab.endpoint, tls: { caFile: lab.caFile }, node: "pve1" }),
    apiToken: lab.apiToken,
  };
  return { get: (key: string) => values[key] } as ConfigReader;
}

/** A client of a lab with the fleet's token. */
export function clientOf(lab: Lab, token: string = lab.apiToken): PveClient {
  const [id = "", secret = ""] = token.split(/=(.*)/);
  const login = { kind: "token", id, secret } as const;
  return new PveClient({ endpoint: lab.endpoint, tls: { caFile: lab.caFile, insecure: false }, login });
}
