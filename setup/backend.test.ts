import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseBackend, makeLocal, rememberBackend } from "./backend.ts";
import { backendUrl, localEnvironment, localFiles } from "./local.ts";
import { nextSteps } from "./nextSteps.ts";
import { writeFiles } from "./writeFiles.ts";

let root: string;
let home: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "setup-backend-"));
  home = join(root, "pulumi-home");
  mkdirSync(home);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const loggedInTo = (url: string) => writeFileSync(join(home, "credentials.json"), JSON.stringify({ current: url }));

describe("the backend", () => {
  it("is in files of the checkout if Pulumi is logged in nowhere, with a passphrase that only the user may read", () => {
    const backend = chooseBackend(root, undefined, { PULUMI_HOME: home });
    const files = localFiles(root);
    expect(backend.env).toEqual({
      PULUMI_BACKEND_URL: backendUrl(files),
      PULUMI_CONFIG_PASSPHRASE_FILE: files.passphraseFile,
    });
    expect(readdirSync(root)).toEqual(["pulumi-home"]);
    makeLocal(root, backend);
    const passphrase = readFileSync(files.passphraseFile, "utf8");
    expect(passphrase.trim()).toMatch(/^[\w-]{32}$/);
    expect(statSync(files.passphraseFile).mode & 0o777).toBe(0o600);
    makeLocal(root, backend);
    expect(readFileSync(files.passphraseFile, "utf8")).toBe(passphrase);
  });

  it("is where the user is logged in; Pulumi Cloud needs no passphrase", () => {
    loggedInTo("https://api.pulumi.com");
    const backend = chooseBackend(root, undefined, { PULUMI_HOME: home });
    expect(backend).toMatchObject({ text: "https://api.pulumi.com", localState: false, localPassphrase: false });
    expect(backend.env).toEqual({ PULUMI_CREDENTIALS_PATH: home });
  });

  it.each([
    ["an option", "s3://bucket", {}, { PULUMI_BACKEND_URL: "s3://bucket" }],
    ["the environment", undefined, { PULUMI_BACKEND_URL: "s3://other" }, {}],
  ])("is what %s says, and the passphrase the user's own", (_what, given, env, expected) => {
    loggedInTo("https://api.pulumi.com");
    const backend = chooseBackend(root, given, { PULUMI_HOME: home, PULUMI_CONFIG_PASSPHRASE: "own", ...env });
    expect(backend).toMatchObject({ env: expected, localState: false, localPassphrase: false });
  });
});

it.each(["file://.", "file://./my%20state?metadata=skip", "file://state"])(
  "a relative %s is one of the checkout, however it is said",
  (url) => {
    const [path = "", query] = url.slice("file://".length).split("?");
    const absolute = `file://${join(root, path)}${query ? `?${query}` : ""}`;
    const env = { PULUMI_HOME: home, PULUMI_CONFIG_PASSPHRASE: "own" };
    const expected = { text: absolute, env: { PULUMI_BACKEND_URL: absolute }, localState: false };
    expect(chooseBackend(root, url, env)).toMatchObject(expected);
    expect(chooseBackend(root, undefined, { ...env, PULUMI_BACKEND_URL: url })).toMatchObject(expected);
    loggedInTo(url);
    expect(chooseBackend(root, undefined, env)).toMatchObject(expected);
  },
);

it("other URLs of files stay, and a relative file of the passphrase is one of the checkout", () => {
  const env = { PULUMI_HOME: home, PULUMI_CONFIG_PASSPHRASE_FILE: "words" };
  for (const url of ["file:///states/one?metadata=skip", "file://~", "file://~/states"])
    expect(chooseBackend(root, url, env).env).toEqual({
      PULUMI_BACKEND_URL: url,
      PULUMI_CONFIG_PASSPHRASE_FILE: join(root, "words"),
    });
});

it("the backend of an option is remembered, and the environment's wins over it", () => {
  const env = { PULUMI_HOME: home, PULUMI_CONFIG_PASSPHRASE: "own" };
  rememberBackend(root, chooseBackend(root, "file://./state", env));
  const url = `file://${join(root, "state")}`;
  const { backendFile } = localFiles(root);
  expect(readFileSync(backendFile, "utf8")).toBe(`${url}\n`);
  expect(statSync(backendFile).mode & 0o777).toBe(0o600);
  mkdirSync(localFiles(root).state);
  expect(localEnvironment(root, env)).toEqual({ PULUMI_BACKEND_URL: url });
  const again = chooseBackend(root, undefined, env);
  expect(again).toMatchObject({ text: url, env: { PULUMI_BACKEND_URL: url }, localState: false });
  const other = { ...env, PULUMI_BACKEND_URL: "s3://other" };
  expect(localEnvironment(root, other)).toEqual({});
  expect(chooseBackend(root, undefined, other)).toMatchObject({ text: "s3://other", env: {} });
});

it.each(["postgres://me:word@db/states", "https://me@pulumi.example.net", "postgres://db/states?password=word"])(
  "%s has credentials, which are not stored",
  (url) => {
    expect(() => chooseBackend(root, url, { PULUMI_HOME: home })).toThrow(/set PULUMI_BACKEND_URL instead$/);
    expect(chooseBackend(root, undefined, { PULUMI_HOME: home, PULUMI_BACKEND_URL: url })).not.toHaveProperty(
      "remember",
    );
  },
);

it("a service named by option or environment finds the user's login", () => {
  loggedInTo("s3://other");
  const url = "https://api.pulumi.com";
  const env = { PULUMI_HOME: home };
  expect(chooseBackend(root, url, env).env).toEqual({ PULUMI_BACKEND_URL: url, PULUMI_CREDENTIALS_PATH: home });
  const said = { ...env, PULUMI_BACKEND_URL: url };
  expect(chooseBackend(root, undefined, said).env).toEqual({ PULUMI_CREDENTIALS_PATH: home });
  expect(localEnvironment(root, said)).toEqual({ PULUMI_CREDENTIALS_PATH: home });
});

it("a login of the checkout's own CLI counts, where the user has none", () => {
  const folder = join(root, ".toolchain", "home");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "credentials.json"), JSON.stringify({ current: "https://api.pulumi.com" }));
  const env = { PULUMI_HOME: home };
  expect(chooseBackend(root, undefined, env)).toMatchObject({ text: "https://api.pulumi.com", localState: false });
  expect(localEnvironment(root, env)).toEqual({ PULUMI_CREDENTIALS_PATH: folder });
  loggedInTo("s3://mine");
  expect(chooseBackend(root, undefined, env)).toMatchObject({ text: "s3://mine" });
});

it("an empty passphrase, which Pulumi would take, is refused for a new stack, and left to one that exists", () => {
  const env = { PULUMI_HOME: home, PULUMI_CONFIG_PASSPHRASE: "" };
  expect(() => chooseBackend(root, undefined, env)).toThrow(/PULUMI_CONFIG_PASSPHRASE is set but empty/);
  expect(chooseBackend(root, undefined, env, false)).toMatchObject({ localPassphrase: false });
  loggedInTo("https://api.pulumi.com");
  expect(chooseBackend(root, undefined, env)).toMatchObject({ localPassphrase: false });
});

it("the next command is printed both ways, with paths of this folder", () => {
  const env = {
    PULUMI_CONFIG_PASSPHRASE_FILE: join(root, ".fleet", "passphrase"),
    PULUMI_BACKEND_URL: "file:///a b?c",
    SSL_CERT_FILE: join(root, "home-ca.pem"),
  };
  const backend = { text: "", env, localState: true, localPassphrase: true };
  expect(nextSteps("home", backend, root).filter((line) => line.startsWith("  "))).toEqual([
    "  npm run fleet -- up --stack home",
    '  export PULUMI_CONFIG_PASSPHRASE_FILE="$PWD/.fleet/passphrase"',
    "  export PULUMI_BACKEND_URL='file:///a b?c'",
    '  export SSL_CERT_FILE="$PWD/home-ca.pem"',
    "  pulumi up --stack home",
  ]);
});

it("files are written whole or not at all", () => {
  writeFileSync(join(root, "one"), "before");
  const files = [
    { path: join(root, "one"), text: "after" },
    // A file is in the place of its folder.
    { path: join(root, "one", "two"), text: "x" },
  ];
  expect(() => writeFiles(files)).toThrow();
  expect(readFileSync(join(root, "one"), "utf8")).toBe("before");
  expect(readdirSync(root).sort()).toEqual(["one", "pulumi-home"]);
  writeFiles(files.slice(0, 1));
  expect(readFileSync(join(root, "one"), "utf8")).toBe("after");
});
