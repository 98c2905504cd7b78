import { expect, test } from "vitest";
import { fakeFacts, found } from "../../fakeFacts.ts";
import { pveVersion } from "./pveVersion.ts";

const of = (version: string) => found(pveVersion, fakeFacts({ version: async () => ({ version, release: "" }) }));

test.each(["8.4.0", "8.4.14", "9.0.1", "9.2.11", "10.0"])("%s is new enough", async (version) => {
  expect(await of(version)).toEqual([`pass Proxmox VE ${version}`]);
});

test.each(["8.2.4", "8.3.5"])("%s: says what does not work there", async (version) => {
  expect((await of(version))[0]).toMatch(
    /^fail found Proxmox VE .*8\.4 or newer.*"import".*imported from there by API$/,
  );
});

test.each(["8.1.4", "7.4-17"])("%s is not supported", async (version) => {
  expect((await of(version))[0]).toBe(
    `fail found Proxmox VE ${version}, which is not supported; expected 8.4 or newer`,
  );
});

test("a version that cannot be read is a failure", async () => {
  expect((await of("unknown"))[0]).toMatch(/^fail found version "unknown", which cannot be read/);
});
