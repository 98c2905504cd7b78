import { join } from "node:path";
import { expect, test } from "vitest";
import { ensureToolchain } from "./install.ts";
import { checkout } from "./paths.ts";
import { missingFrom, type PackageSchema, publishedBy } from "./published.ts";
import { runPulumi } from "./pulumi.ts";
import { pinnedVersions } from "./versions.ts";

const buildMs = 30 * 60_000;

/**
 * npm package 8.6.0 was generated from a later state of the Terraform provider than the one that the Go module proxy
 * carries. This program does not use it.
 */
const knownToLack = ["input excludes of proxmoxve:backup/job:Job"];

test(
  "the plugin knows every resource, function and input of the pinned npm package",
  async () => {
    const toolchain = await ensureToolchain({ log: console.log });
    const published = publishedBy(join(checkout.root, "node_modules", "@muhlba91", "pulumi-proxmoxve"));
    expect(published.resources.size).toBeGreaterThan(100);
    expect(published.functions.size).toBeGreaterThan(80);

    const plugin = `proxmoxve@${pinnedVersions().proxmoxve}`;
    const { code, stdout, stderr } = await runPulumi(toolchain, ["package", "get-schema", plugin], {
      onStdout: () => {},
    });
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const missing = missingFrom(JSON.parse(stdout) as PackageSchema, published);
    expect(missing.filter((item) => !knownToLack.includes(item))).toEqual([]);
  },
  buildMs,
);
