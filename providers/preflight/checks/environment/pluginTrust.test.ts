import { expect, test } from "vitest";
import { fakeFacts, fakeFleet } from "../../fakeFacts.ts";
import { pluginTrust } from "./pluginTrust.ts";

const untrusted = (tls: object) =>
  fakeFacts({ fleet: fakeFleet({ cluster: { tls } }), pluginTrust: async () => "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });

test("a CA that only this program knows of has to be told to the plugin", async () => {
  const [finding] = await pluginTrust.run({
    ...untrusted({}),
    fleet: { ...fakeFleet(), cluster: { ...fakeFleet().cluster, tls: { insecure: false, caFile: "/etc/pve-ca.pem" } } },
  });
  expect(finding).toMatchObject({ status: "fail", path: "cluster.tls.caFile" });
  expect(finding?.todo).toContain("export SSL_CERT_FILE=/etc/pve-ca.pem");
});

test("a fingerprint is of no use to the plugin", async () => {
  const fingerprint = Array.from({ length: 32 }, () => "AA").join(":");
  const [finding] = await pluginTrust.run(untrusted({ fingerprint }));
  expect(finding).toMatchObject({ status: "fail", path: "cluster.tls.fingerprint" });
  expect(finding?.todo?.[0]).toMatch(/pve-root-ca\.pem.*SSL_CERT_FILE/);
});

test("a certificate that the system trusts passes, and with insecure nothing is asked", async () => {
  expect(await pluginTrust.run(fakeFacts())).toMatchObject([{ status: "pass" }]);
  expect(await pluginTrust.run(untrusted({ insecure: true }))).toEqual([]);
});
