import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { localEnvironment } from "./local.ts";

function checkout(): string {
  const root = mkdtempSync(join(tmpdir(), "checkout-"));
  mkdirSync(join(root, ".fleet", "state"), { recursive: true });
  writeFileSync(join(root, ".fleet", "passphrase"), "words\n", { mode: 0o600 });
  return root;
}

test("a checkout without setup has nothing to add", () => {
  const root = mkdtempSync(join(tmpdir(), "checkout-"));
  expect(localEnvironment(root, { PULUMI_HOME: root })).toEqual({});
});

test("without setup's files, the user's own login counts", () => {
  const root = mkdtempSync(join(tmpdir(), "checkout-"));
  writeFileSync(join(root, "credentials.json"), JSON.stringify({ current: "https://api.pulumi.com" }));
  expect(localEnvironment(root, { PULUMI_HOME: root })).toEqual({ PULUMI_CREDENTIALS_PATH: root });
  expect(localEnvironment(root, { PULUMI_HOME: root, PULUMI_BACKEND_URL: "s3://states" })).toEqual({});
});

test("what setup made is used", () => {
  const root = checkout();
  expect(localEnvironment(root, {})).toEqual({
    PULUMI_BACKEND_URL: `file://${root}/.fleet/state?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE_FILE: `${root}/.fleet/passphrase`,
  });
});

test("an empty passphrase stays, too: Pulumi takes it", () => {
  const added = localEnvironment(checkout(), { PULUMI_CONFIG_PASSPHRASE: "" });
  expect(added).not.toHaveProperty("PULUMI_CONFIG_PASSPHRASE_FILE");
});

test("what the user has set stays", () => {
  const env = { PULUMI_BACKEND_URL: "s3://states", PULUMI_CONFIG_PASSPHRASE: "mine" };
  expect(localEnvironment(checkout(), env)).toEqual({});
});
