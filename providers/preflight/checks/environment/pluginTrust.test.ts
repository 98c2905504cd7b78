import { expect, test } from "vitest";
import type { ServedCertificate } from "../../../../proxmox/certificate.ts";
import { fakeFacts, fakeFleet } from "../../fakeFacts.ts";
import { pluginTrust } from "./pluginTrust.ts";

const FINGERPRINT = Array.from({ length: 32 }, () => "aA").join(":");
const served: ServedCertificate = {
  fingerprint: FINGERPRINT.toUpperCase(),
  pem: "",
  names: ["127.0.0.1", "0:0:0:0:0:0:0:1", "localhost", "10.0.0.11", "pve1.example.net"],
  isForHost: true,
  validTo: new Date(Date.now() + 1e9),
};

const untrusted = (cluster: object, certificate: Partial<ServedCertificate> = {}) =>
  fakeFacts({
    fleet: fakeFleet({ cluster }),
    pluginTrust: async () => ({ reason: "NOT_TRUSTED", certificate: { ...served, ...certificate } }),
  });

test("a CA that only this program knows of has to be told to the plugin", async () => {
  const { fleet, ...facts } = untrusted({});
  const cluster = { ...fleet.cluster, tls: { insecure: false, caFile: "/home/me/my cluster/ca.pem" } };
  const [finding] = await pluginTrust.run({ ...facts, fleet: { ...fleet, cluster } });
  expect(finding).toMatchObject({ status: "fail", path: "cluster.tls.caFile" });
  expect(finding?.todo).toContain("export SSL_CERT_FILE='/home/me/my cluster/ca.pem'");
  expect(finding?.todo?.[0]).toMatch(/^`npm run fleet/);
});

test.each([
  ["https://pve1.example.net:8006", "pve1.example.net:8006 -servername pve1.example.net", "pve1.example.net.pem"],
  ["https://10.0.0.11", "10.0.0.11:443", "10.0.0.11.pem"],
  ["https://[2001:db8::1]:8006", "'[2001:db8::1]:8006'", "2001-db8--1.pem"],
])("a fingerprint becomes lines that fetch, compare and export: %s", async (endpoint, at, name) => {
  const [finding] = await pluginTrust.run(untrusted({ endpoint, tls: { fingerprint: FINGERPRINT } }));
  expect(finding).toMatchObject({ status: "fail", path: "cluster.tls.fingerprint" });
  const file = `${process.cwd()}/.fleet/${name}`;
  expect(finding?.todo?.slice(1, 3)).toEqual([
    `mkdir -p ${process.cwd()}/.fleet && openssl s_client -connect ${at} </dev/null 2>/dev/null | openssl x509 -out ${file}`,
    `[ "$(openssl x509 -in ${file} -noout -fingerprint -sha256 | cut -d= -f2)" = ${FINGERPRINT.toUpperCase()} ] && export SSL_CERT_FILE=${file}`,
  ]);
});

test("a certificate for another host is refused by the plugin in any case: the endpoints that would do", async () => {
  const [finding] = await pluginTrust.run(untrusted({ tls: { fingerprint: FINGERPRINT } }, { isForHost: false }));
  expect(finding).toMatchObject({ status: "fail", path: "cluster.endpoint" });
  expect(finding?.todo?.join()).toContain("one of https://10.0.0.11:8006, https://pve1.example.net:8006 (");
});

test("one that has ended too", async () => {
  const ended = untrusted({ tls: { fingerprint: FINGERPRINT } }, { validTo: new Date("2026-01-02") });
  const [finding] = await pluginTrust.run(ended);
  expect(finding?.todo).toEqual(["It expired on 2026-01-02. On the node: pvecm updatecerts --force"]);
});

test("a certificate that the system trusts passes, and with insecure nothing is asked", async () => {
  expect(await pluginTrust.run(fakeFacts())).toMatchObject([{ status: "pass" }]);
  expect(await pluginTrust.run(untrusted({ tls: { insecure: true } }))).toEqual([]);
});
