import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Login } from "../config/login.ts";
import { type Lab, startLab } from "../lab/lab.ts";
import { servedCertificate } from "../proxmox/certificate.ts";
import { PveClient } from "../proxmox/client.ts";
import { readVersion } from "../proxmox/cluster.ts";
import { verifiedBySystem } from "../proxmox/systemTrust.ts";
import type { TlsOptions } from "../proxmox/tls.ts";
import { runCommand } from "../toolchain/command.ts";

/** The client against a real API over TLS. */

let lab: Lab;
let folder: string;
const saved = process.env.SSL_CERT_FILE;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "golden-fleet-client-"));
  lab = await startLab({ dir: join(folder, "lab"), timeScale: 0 });
});
afterAll(async () => {
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const opened: PveClient[] = [];
afterEach(async () => {
  await lab.control.clearFaults();
  for (const client of opened.splice(0)) await client.close();
  if (saved === undefined) delete process.env.SSL_CERT_FILE;
  else process.env.SSL_CERT_FILE = saved;
});

function tokenOf(text: string): Login {
  const at = text.indexOf("=");
  return { kind: "token", id: text.slice(0, at), secret: text.slice(at + 1) };
}

function clientWith(tls: Partial<TlsOptions>, login: Login = tokenOf(lab.apiToken)): PveClient {
  const client = new PveClient({ endpoint: lab.endpoint, tls: { insecure: false, ...tls }, login });
  opened.push(client);
  return client;
}

describe("TLS", () => {
  it("trusts the CA of the config", async () => {
    delete process.env.SSL_CERT_FILE;
    expect(await readVersion(clientWith({ caFile: lab.caFile }))).toMatchObject({ version: "9.2.11" });
  });

  it("trusts SSL_CERT_FILE, as the plugin does", async () => {
    process.env.SSL_CERT_FILE = lab.caFile;
    expect(await readVersion(clientWith({}))).toMatchObject({ version: "9.2.11" });
  });

  it("trusts nobody else, and a CA file that holds none changes nothing", async () => {
    delete process.env.SSL_CERT_FILE;
    const garbage = join(folder, "garbage.pem");
    writeFileSync(garbage, "not a certificate");
    for (const tls of [{}, { caFile: garbage }, { caFile: join(folder, "missing.pem") }]) {
      const client = clientWith(tls);
      await expect(client.get("/version")).rejects.toMatchObject({
        code: "tls",
        message: expect.stringMatching(/^the certificate of 127\.0\.0\.1:\d+ is not trusted: /),
      });
    }
  });

  it("takes a certificate by its fingerprint, also on connections that come later", async () => {
    delete process.env.SSL_CERT_FILE;
    const client = clientWith({ fingerprint: lab.fingerprint.toLowerCase() });
    await Promise.all([1, 2, 3].map(() => readVersion(client)));
    // The next request finds its connection gone and opens one with the TLS session of the first.
    await lab.control.cut("GET", "/version", "after", 1);
    expect(await client.get("/version")).toMatchObject({ version: "9.2.11" });
    expect(await client.get("/version")).toMatchObject({ version: "9.2.11" });
  });

  it("refuses another fingerprint, naming both, even with a CA that would do", async () => {
    process.env.SSL_CERT_FILE = lab.caFile;
    const other = Array(32).fill("AB").join(":");
    const error = await readVersion(clientWith({ fingerprint: other, caFile: lab.caFile })).catch((one) => one);
    expect(error).toMatchObject({ code: "tls" });
    expect(error.message).toContain(other);
    expect(error.message).toContain(lab.fingerprint);
  });

  it("verifies nothing when told to", async () => {
    delete process.env.SSL_CERT_FILE;
    expect(await readVersion(clientWith({ insecure: true }))).toMatchObject({ version: "9.2.11" });
  });
});

describe("the certificate that an endpoint serves", () => {
  const ownNames = ["127.0.0.1", "localhost"];
  afterAll(() => lab.control.certificate(ownNames));

  it("is told with its names, whoever signed it", async () => {
    delete process.env.SSL_CERT_FILE;
    await lab.control.certificate([...ownNames, "pve1"]);
    const served = await servedCertificate(lab.endpoint);
    expect(served).toMatchObject({ names: [...ownNames, "pve1"], isForHost: true });
    expect(served.pem).toMatch(/^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/);
    const next = await lab.control.certificate(["pve1"]);
    expect(next).not.toBe(served.fingerprint);
    expect(await servedCertificate(lab.endpoint)).toMatchObject({
      fingerprint: next,
      names: ["pve1"],
      isForHost: false,
    });
  });

  it("is trusted by the plugin if it stands in SSL_CERT_FILE itself, until there is another one", async () => {
    await lab.control.certificate(ownNames);
    const file = join(folder, "served.pem");
    writeFileSync(file, (await servedCertificate(lab.endpoint)).pem);
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: file })).toBeUndefined();
    // There, Go does not read the variable.
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: file }, "darwin")).toBe("SELF_SIGNED_CERT_IN_CHAIN");
    expect(await readVersion(clientWith({ caFile: file }))).toMatchObject({ version: "9.2.11" });
    expect(await verifiedBySystem(lab.endpoint, {})).toBe("SELF_SIGNED_CERT_IN_CHAIN");
    await lab.control.certificate(ownNames);
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: file })).toBe("SELF_SIGNED_CERT_IN_CHAIN");
  });

  it("is not trusted under another name, even by its CA", async () => {
    await lab.control.certificate(["pve1"]);
    expect(await verifiedBySystem(lab.endpoint, { SSL_CERT_FILE: lab.caFile })).toMatch(/127\.0\.0\.1|ALTNAME/);
  });

  it("of nobody, and of somebody who does not speak TLS, is told", async () => {
    await expect(servedCertificate("https://127.0.0.1:1")).rejects.toMatchObject({ code: "refused" });
    await expect(servedCertificate(lab.imagesUrl.replace("http:", "https:"))).rejects.toMatchObject({
      code: "not-pve",
    });
  });
});

describe("login", () => {
  const root = (password: string): Login => ({ kind: "password", username: "root@pam", password });
  const logins = async () => (await lab.control.requests()).api.filter(({ path }) => path === "/access/ticket").length;

  it("with a password is one login, and a new one when the ticket was revoked", async () => {
    const client = clientWith({ caFile: lab.caFile }, root(lab.rootPassword));
    const before = await logins();
    await Promise.all([client.get("/version"), client.get("/nodes"), client.get("/storage")]);
    expect(await logins()).toBe(before + 1);
    await lab.control.revokeTickets();
    // A change needs the ticket and its CSRF token.
    await Promise.all([client.put("/nodes/pve1/qemu/100/config", { onboot: true }), client.get("/nodes")]);
    expect(await logins()).toBe(before + 2);
  });

  it("with a wrong password or token is refused in PVE's words, and once", async () => {
    const before = await logins();
    await expect(clientWith({ caFile: lab.caFile }, root("wrong")).get("/nodes")).rejects.toMatchObject({
      code: "login",
      message: "POST /access/ticket answered 401: authentication failure",
    });
    expect(await logins()).toBe(before + 1);
    const wrong = { ...tokenOf(lab.apiToken), secret: "0000" } as Login;
    const error = await clientWith({ caFile: lab.caFile }, wrong)
      .get("/nodes")
      .catch((one: Error) => one);
    expect(error).toMatchObject({ code: "login", status: 401 });
    expect((error as Error).message).toMatch(/^GET \/nodes answered 401: \S/);
  });
});

it("a lost answer of a read is asked for again", async () => {
  await lab.control.cut("GET", "/nodes", "after", 2);
  const nodes = await clientWith({ caFile: lab.caFile }).get<{ node: string }[]>("/nodes");
  expect(nodes.map(({ node }) => node).sort()).toEqual(["pve1", "pve2"]);
});

it("a kept connection does not keep the program running", async () => {
  const script = join(folder, "ends.ts");
  const client = join(import.meta.dirname, "../proxmox/client.ts");
  const connection = {
    endpoint: lab.endpoint,
    tls: { insecure: false, caFile: lab.caFile },
    login: tokenOf(lab.apiToken),
  };
  writeFileSync(
    script,
    `import { PveClient } from ${JSON.stringify(client)};
     await new PveClient(${JSON.stringify(connection)}).get("/version");
     // A turn, in which the connection is laid aside.
     await new Promise(setImmediate);
     const held = process.getActiveResourcesInfo().filter((name) => /TCP|TLS/.test(name));
     console.log(JSON.stringify(held));`,
  );
  const { stdout, code } = await runCommand(process.execPath, [script]);
  expect([stdout, code]).toEqual(["[]\n", 0]);
});
