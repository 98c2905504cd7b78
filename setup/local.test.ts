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
  expect(localEnvironment(mkdtempSync(join(tmpdir(), "checkout-")), {})).toEqual({});
});

test("what setup made is used", () => {
  const root = checkout();
  expect(localEnvironment(root, {})).toEqual({
    PULUMI_BACKEND_URL: `file://${root}/.fleet/state?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE_FILE: `${root}/.fleet/passphrase`,
  });
});

test("what the user has set stays", () => {
  const env = { PULUMI_BACKEND_URL: "s3://states", PULUMI_CONFIG_PASSPHRASE: "mine" };
  expect(localEnvironment(checkout(), env)).toEqual({});
});
