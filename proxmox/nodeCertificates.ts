import { type PveClient, path } from "./client.ts";

/** A certificate as a node lists it. PVE leaves out what it cannot read. */
export interface NodeCertificate {
  /** `pve-root-ca.pem`, `pve-ssl.pem`; `pveproxy-ssl.pem` if there is one of the administrator's own. */
  filename?: string;
  fingerprint?: string;
  subject?: string;
  pem?: string;
}

/** The certificates of a node (PVE: node > System > Certificates), and the CA of the cluster. Every login may see them. */
export function listNodeCertificates(client: PveClient, node: string): Promise<NodeCertificate[]> {
  return client.get(path`/nodes/${node}/certificates/info`);
}
