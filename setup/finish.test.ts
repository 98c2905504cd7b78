import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Journal } from "./journal.ts";
import { Options } from "./options.ts";
import { Ui } from "./ui.ts";
import { finish } from "./wizard.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "setup-finish-"));
  writeFileSync(join(root, "Pulumi.yaml"), "name: proxmox-golden-fleet\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

async function printed(tls: string, env: NodeJS.ProcessEnv): Promise<string> {
  const key = "proxmox-golden-fleet:cluster";
  const cluster = `{ endpoint: "https://127.0.0.1:1", tls: ${tls} }`;
  writeFileSync(join(root, "Pulumi.home.yaml"), `config:\n  ${key}: ${cluster}\n`);
  const options = new Options({ "no-preflight": true });
  const ui = new Ui(options, { interactive: false, out: process.stdout });
  const said: string[] = [];
  ui.lines = (_, lines) => said.push(...lines);
  const setup = { root, env, options, ui, journal: new Journal(), stdin: async () => "", print: () => undefined };
  const backend = { text: "", env: {}, localState: true, localPassphrase: true };
  expect(await finish(setup, { stack: "home", backend })).toBe(0);
  return said.join("\n");
}

it("the cluster's CA is trusted beside the user's own, wherever setup runs", async () => {
  writeFileSync(join(root, "home-ca.pem"), pem("cluster"));
  writeFileSync(join(root, "company.pem"), pem("company"));
  const text = await printed("{ caFile: ./home-ca.pem }", { SSL_CERT_FILE: join(root, "company.pem") });
  expect(text).toContain('export SSL_CERT_FILE="$PWD/.fleet/certificates/home-trusted.pem"');
  const bundle = readFileSync(join(root, ".fleet", "certificates", "home-trusted.pem"), "utf8");
  expect(bundle).toBe(pem("company") + pem("cluster"));
});

it("a certificate that cannot be had is left to preflight", async () => {
  expect(await printed('{ fingerprint: "AA:BB" }', {})).not.toContain("SSL_CERT_FILE");
});
