import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { caBundle } from "./cas.ts";

const pem = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

function files(texts: Record<string, string>) {
  const dir = mkdtempSync(join(tmpdir(), "cas-"));
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(dir, name), text);
  return (name: string) => join(dir, name);
}

test("the cluster's CA is joined to the system's", () => {
  const at = files({ system: pem("system"), ca: pem("cluster") });
  const options = { file: at("ca"), bundle: at("certificates/bundle.pem"), systemFiles: [at("none"), at("system")] };
  expect(caBundle(options)).toBe(at("certificates/bundle.pem"));
  expect(readFileSync(at("certificates/bundle.pem"), "utf8")).toBe(pem("system") + pem("cluster"));
});

test("a new CA makes a new bundle, an old one is left as it is", () => {
  const at = files({ system: pem("system"), ca: pem("cluster") });
  const options = { file: at("ca"), bundle: at("bundle"), systemFiles: [at("system")] };
  caBundle(options);
  writeFileSync(at("ca"), pem("another"));
  caBundle(options);
  expect(readFileSync(at("bundle"), "utf8")).toBe(pem("system") + pem("another"));
});

test("the user's own SSL_CERT_FILE stands for the system's, as it does for Go", () => {
  const at = files({ system: pem("system"), own: pem("own"), ca: pem("cluster") });
  caBundle({ file: at("ca"), bundle: at("bundle"), own: at("own"), systemFiles: [at("system")] });
  expect(readFileSync(at("bundle"), "utf8")).toBe(pem("own") + pem("cluster"));
});

test("one that has the CA already is left to the user", () => {
  const at = files({ own: `${pem("own")}\r\n${pem("clu\r\nster")}`, ca: pem("clu\nster") });
  expect(caBundle({ file: at("ca"), bundle: at("bundle"), own: at("own") })).toBeUndefined();
  expect(existsSync(at("bundle"))).toBe(false);
});

test("a system without a file has folders, which Go reads beside it", () => {
  const at = files({ ca: pem("cluster") });
  caBundle({ file: at("ca"), bundle: at("bundle"), systemFiles: [] });
  expect(readFileSync(at("bundle"), "utf8")).toBe(pem("cluster"));
});

test("a file that cannot be read is preflight's to tell", () => {
  expect(caBundle({ file: "/nowhere", bundle: "/nowhere-else" })).toBeUndefined();
});
