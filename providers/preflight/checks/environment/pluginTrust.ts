import { localPath } from "../../../../config/files.ts";
import { type Check, fail, pass } from "../../finding.ts";

/** The proxmoxve plugin can verify the certificate too: it knows neither caFile nor fingerprint. */
export const pluginTrust: Check = {
  id: "plugin-trust",
  group: "environment",
  async run({ fleet, pluginTrust: trust }) {
    const { caFile, fingerprint, insecure } = fleet.cluster.tls;
    if (insecure) return [];
    const reason = await trust();
    if (reason === undefined) return [pass("the system's CAs verify the certificate")];
    const path = caFile ? "cluster.tls.caFile" : fingerprint ? "cluster.tls.fingerprint" : "cluster.tls";
    const elsewhere = "On macOS and Windows add the CA to the system's trusted certificates instead.";
    const todo = caFile
      ? [`export SSL_CERT_FILE=${localPath(caFile)}`, elsewhere]
      : ["scp root@<node>:/etc/pve/pve-root-ca.pem . && export SSL_CERT_FILE=$PWD/pve-root-ca.pem", elsewhere];
    return [
      fail(
        `the proxmoxve plugin cannot verify the certificate (${reason}): it trusts the system's CAs and SSL_CERT_FILE (now ${process.env.SSL_CERT_FILE || "not set"}), not this setting`,
        { path, todo },
      ),
    ];
  },
};
