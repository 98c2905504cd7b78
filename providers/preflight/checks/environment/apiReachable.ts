import { ApiError, type ConnectionCode, ConnectionError } from "../../../../proxmox/errors.ts";
import { type Check, fail, pass, warn } from "../../finding.ts";

const TODO: Record<ConnectionCode, string> = {
  dns: "Is the host name spelled right? Does `getent hosts <name>` find it on this machine?",
  refused: "Is the port right (PVE: 8006)? Does pveproxy run on the node (systemctl status pveproxy)?",
  unreachable: "Is this machine in the right network (VPN)?",
  timeout: "Is a firewall in between, or the node down?",
  dropped: "Is there a proxy in between? See the node's log: journalctl -u pveproxy",
  tls: "Set tls.caFile to the cluster's CA (on a node: /etc/pve/pve-root-ca.pem), or tls.fingerprint (node > System > Certificates).",
  "not-pve": "Expected https://<node>:8006, the address of the PVE web interface.",
};

/** The API answers, as a PVE API, with a certificate that the config trusts. */
export const apiReachable: Check = {
  id: "api-reachable",
  group: "environment",
  async run({ version, fleet }) {
    const { endpoint, tls } = fleet.cluster;
    try {
      await version();
    } catch (error) {
      if (error instanceof ConnectionError) {
        const pinned = error.code === "tls" && tls.fingerprint !== undefined;
        return [
          fail(`found ${endpoint}; ${error.message}`, {
            path: pinned ? "cluster.tls.fingerprint" : error.code === "tls" ? "cluster.tls" : "cluster.endpoint",
            todo: [
              pinned
                ? "If the certificate was renewed, set the new fingerprint (node > System > Certificates)."
                : TODO[error.code],
            ],
            cause: error,
          }),
        ];
      }
      // A refusal is an answer; a wrong login is another check's.
      if (!(error instanceof ApiError)) throw error;
    }
    return [
      pass(`${endpoint} answers`),
      ...(tls.insecure
        ? [
            warn("found true; nobody verifies who answers at the endpoint, and whoever does gets the login", {
              path: "cluster.tls.insecure",
              todo: ["Leave it out, and set cluster.tls.caFile or cluster.tls.fingerprint: docs/trust.md."],
            }),
          ]
        : []),
    ];
  },
};
