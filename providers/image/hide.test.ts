import { expect, test } from "vitest";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { hider, hiding } from "./hide.ts";
import type { ImageInputs } from "./provider.ts";

const url = "https://me:hunter2@mirror.example.net:8443/s3cret/noble.img?token=abc";
const checksumUrl = "https://list.example.net/SHA256SUMS?sig=xyz";

/** The end of a download task's log, as PVE and wget write it. */
const LOG = [
  `downloading ${url} to /var/lib/vz/template/import/image-0123.qcow2`,
  "--2026-01-01 10:00:00--  https://me:*password*@mirror.example.net:8443/s3cret/noble.img?token=abc",
  "Resolving mirror.example.net (mirror.example.net)... 10.0.0.9",
  "Connecting to mirror.example.net:8443... connected.",
  "Location: https://cdn.example.net/a?Expires=1&Signature=zzz [following]",
  `download of '${url}' to '/var/lib/vz/template/import/image-0123.qcow2' finished`,
  `could not find the checksum in ${checksumUrl}: it has no checksum of noble.img`,
].join("\n");

test("credentials are taken out of every URL", () => {
  const text = hider({ url, checksumUrl })(LOG);
  expect(text).not.toMatch(/hunter2|abc|xyz|zzz/);
  expect(text).toContain("downloading https://…@mirror.example.net:8443/s3cret/noble.img?… to /var/lib");
  expect(text).toContain("Location: https://cdn.example.net/a?… [following]");
});

test("of URLs that are secrets nothing is left", () => {
  const text = hider({ url, checksumUrl, hidden: true })(LOG);
  expect(text).not.toMatch(/hunter2|abc|xyz|zzz|mirror|s3cret|noble|list\.example|SHA256SUMS/);
  expect(text).toContain("downloading (secret URL) to /var/lib/vz/template/import/image-0123.qcow2");
  expect(text).toContain("download of '(secret URL)' to");
});

test("an error keeps its kind", async () => {
  const failed = hiding({ url, hidden: true } as ImageInputs, async () => {
    throw new ProxmoxError("failed", `could not get ${url}`);
  });
  await expect(failed).rejects.toBeInstanceOf(ProxmoxError);
  await expect(failed).rejects.toMatchObject({ code: "failed", message: "could not get (secret URL)" });
});
