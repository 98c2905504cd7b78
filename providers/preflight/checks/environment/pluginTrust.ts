import { isIP } from "node:net";
import { join } from "node:path";
import { localPath } from "../../../../config/files.ts";
import { hostOf, type ServedCertificate } from "../../../../proxmox/certificate.ts";
import { type Check, fail, pass } from "../../finding.ts";

/** A word as a shell takes it. */
const quoted = (word: string) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

const FLEET = "`npm run fleet -- <command>` does this by itself. With plain pulumi, once in each shell:";
const ELSEWHERE =
  "On macOS and Windows the plugin asks the system alone: add the certificate to its trusted ones instead.";

/** Fetches the certificate into a file, compares it, and names the file to the plugin. */
function pinLines(endpoint: string, fingerprint: string): string[] {
  const { host, port } = hostOf(endpoint);
  const kind = isIP(host);
  const at = kind === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  const name = kind === 0 ? ` -servername ${host}` : "";
  // What belongs to this checkout and to no commit.
  const folder = join(process.cwd(), ".fleet");
  const file = quoted(join(folder, `${host.replaceAll(":", "-")}.pem`));
  return [
    `mkdir -p ${quoted(folder)} && openssl s_client -connect ${quoted(at)}${name} </dev/null 2>/dev/null | openssl x509 -out ${file}`,
    `[ "$(openssl x509 -in ${file} -noout -fingerprint -sha256 | cut -d= -f2)" = ${fingerprint.toUpperCase()} ] && export SSL_CERT_FILE=${file}`,
  ];
}

/** What no file mends: the plugin verifies host name and end of a certificate even if it stands in the file itself. */
function ownFault(endpoint: string, { isForHost, names, validTo }: ServedCertificate): string[] | undefined {
  if (validTo.getTime() < Date.now())
    return [`It expired on ${validTo.toISOString().slice(0, 10)}. On the node: pvecm updatecerts --force`];
  if (isForHost) return undefined;
  const { port } = hostOf(endpoint);
  const outside = names.filter((name) => !/^(localhost|127\.|0*:.*:0*1$)/.test(name));
  const urls = outside.map((name) => `https://${name.includes(":") ? `[${name}]` : name}:${port}`);
  return [
    `It is not made out to the endpoint's host. Set cluster.endpoint to one of ${urls.join(", ") || "its names"} (a line in /etc/hosts will do), or give the node a certificate for this one.`,
  ];
}

/** The proxmoxve plugin can verify the certificate too: it knows neither caFile nor fingerprint. */
export const pluginTrust: Check = {
  id: "plugin-trust",
  group: "environment",
  async run({ fleet, pluginTrust: trust }) {
    const { endpoint, tls } = fleet.cluster;
    const { caFile, fingerprint, insecure } = tls;
    if (insecure) return [];
    const doubt = await trust();
    if (doubt === undefined) return [pass("the proxmoxve plugin can verify the certificate")];
    const fault = ownFault(endpoint, doubt.certificate);
    if (fault)
      return [
        fail(`the proxmoxve plugin would refuse the certificate (${doubt.reason})`, {
          path: "cluster.endpoint",
          todo: fault,
        }),
      ];
    const path = caFile ? "cluster.tls.caFile" : fingerprint ? "cluster.tls.fingerprint" : "cluster.tls";
    const lines = caFile
      ? [`export SSL_CERT_FILE=${quoted(localPath(caFile))}`]
      : fingerprint
        ? pinLines(endpoint, fingerprint)
        : ["scp root@<node>:/etc/pve/pve-root-ca.pem . && export SSL_CERT_FILE=$PWD/pve-root-ca.pem"];
    return [
      fail(
        `the proxmoxve plugin cannot verify the certificate (${doubt.reason}): it knows neither caFile nor fingerprint, and trusts the system's CAs and SSL_CERT_FILE (now ${process.env.SSL_CERT_FILE || "not set"})`,
        { path, todo: [...(caFile || fingerprint ? [FLEET] : []), ...lines, ELSEWHERE] },
      ),
    ];
  },
};
