import { describe, expect, test } from "vitest";
import { type SecretValue, secretValues } from "./secrets.ts";
import { plainSecrets, shownSecrets, strayKeys } from "./stack.ts";
import { load, noble } from "./testing.ts";

const CIPHER = { secure: "v1:abc" };
const lines = (problems: { path: string; message: string }[]) => problems.map((one) => `${one.path}: ${one.message}`);

describe("what must be encrypted", () => {
  const url = "https://me:hunter2@example.net/noble.img";
  const checksumUrl = "https://example.net/SUMS?token=hunter2";
  const templates = {
    one: { vmId: 9000, image: { url: noble.image.url }, cloudInit: { password: "hunter2" } },
    two: { vmId: 9001, image: { url, checksumUrl }, cloudInit: { password: "hunter3", runCommands: ["echo x"] } },
  };
  const plain = (names: string[], secrets: readonly SecretValue[]) =>
    lines(plainSecrets(load({ templates }), names, secrets));

  test("is refused in plain text, each with the command that encrypts it", () => {
    const found = plain(["cluster", "apiToken", "templates"], []);
    expect(found).toEqual([
      "apiToken: found in plain text; expected a secret: pulumi config set --secret apiToken",
      "templates.one.cloudInit.password: found in plain text; expected a secret: pulumi config set --secret --path 'templates.one.cloudInit.password'",
      "templates.two.cloudInit.password: found in plain text; expected a secret: pulumi config set --secret --path 'templates.two.cloudInit.password'",
      "templates.two.image.url: found credentials in plain text; expected a secret: pulumi config set --secret --path 'templates.two.image.url'",
      "templates.two.image.checksumUrl: found credentials in plain text; expected a secret: pulumi config set --secret --path 'templates.two.image.checksumUrl'",
    ]);
    expect(found.join()).not.toContain("hunter");
  });

  test("is still refused where something else in the section is encrypted", () => {
    const written = structuredClone<Record<string, unknown>>(templates);
    written.one = { ...templates.one, cloudInit: { password: CIPHER } };
    const secrets = secretValues(templates, written, ["templates"]);
    expect(plain(["templates"], secrets).map((line) => line.split(":")[0])).toEqual([
      "templates.two.cloudInit.password",
      "templates.two.image.url",
      "templates.two.image.checksumUrl",
    ]);
  });

  test.each([true, false, "keep"])(
    "is refused in clone sets and their clones, with createClones: %s",
    (createClones) => {
      const cloudInit = { password: "hunter4" };
      const clones = [{ name: "web-1", vmId: 9101, cloudInit }];
      const config = load({ cloneSets: { web: { template: "noble", createClones, cloudInit, clones } } });
      expect(plainSecrets(config, ["cloneSets"], []).map(({ path }) => path)).toEqual([
        "cloneSets.web.cloudInit.password",
        "cloneSets.web.clones[0].cloudInit.password",
      ]);
    },
  );

  test("is taken as encrypted where the stack's file does not tell", () => {
    expect(plain(["templates"], secretValues(templates, undefined, ["templates"]))).toEqual([]);
  });
});

test("what would show although it is encrypted is refused, what stays secret is not", () => {
  const value = { noble: { name: "a", cloudInit: { runCommands: ["b"] } } };
  const written = { noble: { name: CIPHER, cloudInit: { runCommands: [CIPHER] } } };
  expect(lines(shownSecrets(secretValues(value, written, ["templates"])))).toEqual([
    "templates.noble.name: found encrypted, but it shows in names, in the state or in messages; expected plain text: pulumi config set --plaintext --path 'templates.noble.name'",
  ]);
  // Nobody encrypted just this.
  expect(shownSecrets(secretValues(value, CIPHER, ["templates"]))).toEqual([]);
});

describe("keys of other projects", () => {
  const of = (...keys: string[]) => lines(strayKeys(keys, "proxmox-golden-fleet"));

  test.each(["proxmox-golden-flet:cloneSets", "proxmox-golden-fleets:cluster", "proxmox_golden_fleet:templates"])(
    "%s is refused: what it holds would be deleted",
    (key) => {
      const [, name] = key.split(":");
      expect(of(key)).toEqual([`${key}: found a key of another project; did you mean "proxmox-golden-fleet:${name}"?`]);
    },
  );

  test("of the engine, of providers and of other programs are theirs", () => {
    expect(
      of("proxmox-golden-fleet:cloneSets", "pulumi:tags", "proxmoxve:endpoint", "aws:region", "web:cluster"),
    ).toEqual([]);
  });
});
