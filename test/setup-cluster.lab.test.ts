import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Fleet } from "../config/fleet.ts";
import { loadConfig } from "../config/load.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { PveClient } from "../proxmox/client.ts";
import { readPermissions, readVersion } from "../proxmox/cluster.ts";
import { verifiedBySystem } from "../proxmox/systemTrust.ts";
import { applyLogin, checkLogin, planLogin, pveumLines } from "../setup/cluster/access.ts";
import { isFingerprint, lookAtEndpoint, settleTrust } from "../setup/cluster/certificate.ts";
import { normaliseEndpoint } from "../setup/cluster/endpoint.ts";
import { logIn, type Session } from "../setup/cluster/session.ts";

/** What setup asks of and does on a cluster, against one lab. */
let lab: Lab;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "setup-cluster-"));
  lab = await startLab({ dir: join(folder, "lab"), timeScale: 0 });
});

afterAll(async () => {
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const password = (username = "root@pam", secret = lab.rootPassword) =>
  ({ kind: "password", username, password: secret }) as const;

const open: PveClient[] = [];
async function session(login: Parameters<typeof logIn>[1] = password()): Promise<Session> {
  const made = await logIn(await lookAtEndpoint(lab.endpoint, {}), login);
  open.push(made.client);
  return made;
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.close()));
});

/** A config as setup is about to write it: no login in it yet. */
function fleetOf(yaml = ""): Fleet {
  const text = `
cluster: { endpoint: "${lab.endpoint}", node: pve1 }
templates: { noble: { vmId: 9000, image: { url: "${lab.image.url}", checksum: "${lab.image.checksum}" } } }
cloneSets: { web: { template: noble, count: 3, namePattern: "web-{n}", firstVmId: 9101 } }
${yaml}`;
  const config = parse(text) as Record<string, unknown>;
  const { cluster, templates, cloneSets, leftOut } = loadConfig(
    (key) => (config[key] === undefined ? undefined : JSON.stringify(config[key])),
    Object.keys(config),
    {},
  );
  if (!cluster) throw new Error("the config is not well-formed");
  return { cluster, templates, cloneSets, leftOut };
}

describe("the certificate", () => {
  const usual = () => lab.control.certificate(["127.0.0.1", "localhost", "pve1", "pve2"]);

  afterEach(async () => {
    await usual();
  });

  it("is shown without being trusted", async () => {
    const fingerprint = await usual();
    const shown = await lookAtEndpoint(normaliseEndpoint(lab.endpoint.replace("https://", "")), {});
    expect(shown).toMatchObject({
      endpoint: lab.endpoint,
      fingerprint,
      subject: "O=proxmox-golden-fleet lab, CN=lab API",
      issuer: "O=proxmox-golden-fleet lab, CN=lab root CA",
      names: ["127.0.0.1", "localhost", "pve1", "pve2"],
      isForHost: true,
    });
    expect(shown.trustedBy).toBeUndefined();
    expect(shown.untrusted).toMatch(/SELF_SIGNED|UNABLE_TO/);
    for (const text of [
      fingerprint,
      fingerprint.replaceAll(":", "").toLowerCase(),
      `sha256 Fingerprint=${fingerprint}`,
    ])
      expect(isFingerprint(shown, text)).toBe(true);
    expect(isFingerprint(shown, `${fingerprint.slice(0, -2)}00`)).toBe(false);
  });

  it("once accepted brings the cluster's CA, which makes it trusted for the program and the plugin", async () => {
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    const trust = await settleTrust(client, accepted);
    expect(trust).toMatchObject({ kind: "ca", subject: "O=proxmox-golden-fleet lab, CN=lab root CA" });
    const caFile = join(folder, "ca.pem");
    writeFileSync(caFile, trust.kind === "ca" ? trust.pem : "");
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: caFile })).toBeUndefined();
    // The certificate is renewed, and the CA still does.
    await usual();
    expect((await lookAtEndpoint(lab.endpoint, { SSL_CERT_FILE: caFile })).trustedBy).toBe("SSL_CERT_FILE");
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: caFile })).toBeUndefined();
  });

  it("of a CA that is not to be had is trusted itself", async () => {
    await lab.control.certificate(["127.0.0.1"], { foreign: true });
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    const trust = await settleTrust(client, accepted);
    expect(trust).toMatchObject({ kind: "certificate", pem: accepted.pem, validTo: accepted.validTo });
    const caFile = join(folder, "certificate.pem");
    writeFileSync(caFile, accepted.pem);
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: caFile })).toBeUndefined();
    const { apiToken } = lab;
    const [id = "", secret = ""] = apiToken.split("=");
    const byFile = new PveClient({
      endpoint: lab.endpoint,
      tls: { caFile, insecure: false },
      login: { kind: "token", id, secret },
    });
    open.push(byFile);
    expect((await readVersion(byFile)).version).toBe("9.2.11");
  });

  it("that is made out to other names says which endpoints would do", async () => {
    await lab.control.certificate(["localhost", "::1", "pve1.example.net", "fd00::11"]);
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    expect(accepted.isForHost).toBe(false);
    const { client } = await session();
    const port = new URL(lab.endpoint).port;
    await expect(settleTrust(client, accepted)).rejects.toMatchObject({
      code: "certificate",
      message: expect.stringContaining("is not made out to 127.0.0.1"),
      todo: [expect.stringMatching(`: https://pve1.example.net:${port}, https://.*:${port}$`)],
    });
  });

  it("that has ended is an error", async () => {
    await lab.control.certificate(["127.0.0.1"], { ended: true });
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    await expect(settleTrust(client, accepted)).rejects.toMatchObject({
      code: "certificate",
      message: expect.stringMatching(/ended on \d{4}-\d\d-\d\d$/),
    });
  });

  it("that changed between two steps is an error, at the next step whichever it is", async () => {
    const accepted = await lookAtEndpoint(lab.endpoint, {});
    const { client } = await session();
    const other = await usual();
    const changed = { code: "certificate-changed", message: expect.stringContaining(other) };
    await expect(logIn(accepted, password())).rejects.toMatchObject(changed);
    await expect(settleTrust(client, accepted)).rejects.toMatchObject(changed);
  });
});
