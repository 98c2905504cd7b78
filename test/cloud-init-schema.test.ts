import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { goldens } from "../fleet/cloudInit/goldenCases.ts";
import { toYaml } from "../fleet/cloudInit/yaml.ts";
import { cloudInitOrSkip } from "./cloudInit.ts";

const { tool, name: cloudInit } = cloudInitOrSkip();

describe.skipIf(!tool)(`the real ${cloudInit}`, () => {
  const folder = mkdtempSync(join(tmpdir(), "cloud-init-schema-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const env = { ...process.env, ...tool?.env };
  const python = tool?.python ?? "";

  const validate = (text: string) => {
    const file = join(folder, "config.yaml");
    writeFileSync(file, text);
    const args = ["-m", "cloudinit.cmd.main", "schema", "--config-file", file];
    const { status, stdout, stderr } = spawnSync(python, args, { env, encoding: "utf8" });
    return { status, text: `${stdout}${stderr}` };
  };

  test.each(Object.keys(goldens).filter((name) => /(user|vendor)-data/.test(name)))("accepts %s", (name) => {
    const { status, text } = validate(goldens[name] ?? "");
    expect(text).toContain("Valid");
    expect(status, text).toBe(0);
  });

  test("refuses what is wrong, so that its yes means something", () => {
    const { status, text } = validate("#cloud-config\npackages: nginx\n");
    expect(status).not.toBe(0);
    expect(text).toContain("packages");
  });

  test("property: its YAML reader takes what we write for the same value", () => {
    const map = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ stringUnit: "binary" }));
    // PyYAML takes 2e-323, without a point, for a text; no cloud-config has such a number.
    const plainNumbers = map.filter((value) => !/\de[+-]?\d/.test(JSON.stringify(value)));
    const values = fc.sample(plainNumbers, { numRuns: 500, seed: 1 });
    const plain = JSON.parse(JSON.stringify(values)) as Parameters<typeof toYaml>[0][];
    const code = "import json, sys, yaml; print(json.dumps([yaml.safe_load(text) for text in json.load(sys.stdin)]))";
    const input = JSON.stringify(plain.map(toYaml));
    const output = execFileSync(python, ["-c", code], { env, input, encoding: "utf8", maxBuffer: 2 ** 28 });
    const read = JSON.parse(output) as unknown[];
    plain.forEach((value, index) => {
      expect(read[index]).toEqual(value);
    });
  });
});
