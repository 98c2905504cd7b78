import { describe, expect, test } from "vitest";
import { type ImageInputs, type ImageState, provider } from "./provider.ts";

const config = { get: () => undefined };
const checksum = `sha256:${"a".repeat(64)}`;
const inputs: ImageInputs = {
  statusUrn: "urn:pulumi:dev::fleet::golden-fleet:VmTemplate$pulumi-nodejs:dynamic/golden-fleet:Image::noble-image",
  node: "pve1",
  datastore: "local",
  url: "https://example.net/current/noble.img",
  checksumUrl: "https://example.net/current/SHA256SUMS",
  diskBytes: 20 * 2 ** 30,
  keepImage: true,
};
const state: ImageState = {
  ...inputs,
  volumeId: "local:import/noble-aaaaaaaaaaaaaaaa.qcow2",
  storedName: "noble-aaaaaaaaaaaaaaaa.qcow2",
  resolvedFormat: "qcow2",
  resolvedChecksum: checksum,
  sizeBytes: 600 * 2 ** 20,
  virtualSizeBytes: 3.5 * 2 ** 30,
  origin: "downloaded",
};
const diff = (change: Partial<ImageInputs>, olds = state) =>
  provider.diff(config, state.volumeId, olds, { ...inputs, ...change });

describe("the next up", () => {
  test("changes nothing, whatever the list says by now", async () => {
    expect(await diff({})).toMatchObject({ changes: false, replaces: [] });
  });

  test.each([
    [{ url: "https://example.net/current/other.img" }, ["url"]],
    [{ checksumUrl: "https://example.net/SHA512SUMS" }, ["checksumUrl"]],
    [{ node: "pve2" }, ["node"]],
    [{ datastore: "nfs" }, ["datastore"]],
    [{ format: "raw" as const }, ["format"]],
    [{ fileName: "ours" }, ["fileName"]],
  ])("gets another image for %j, and the old one goes after that", async (change, replaces) => {
    expect(await diff(change)).toEqual({ changes: true, replaces, deleteBeforeReplace: false });
  });

  test("downloads nothing anew when the same bytes come from another mirror", async () => {
    const { checksumUrl: _, ...pinned } = inputs;
    const moved = { ...pinned, checksum, url: "https://mirror.example.net/noble.img" };
    expect(await provider.diff(config, state.volumeId, state, moved)).toMatchObject({ changes: true, replaces: [] });
    const updated = await provider.update(config, state.volumeId, state, moved);
    expect(updated).toMatchObject({ url: moved.url, volumeId: state.volumeId });
    expect(await provider.diff(config, state.volumeId, updated, moved)).toMatchObject({ changes: false });
  });

  test("downloads nothing anew when only the password in a URL is another, or becomes a secret", async () => {
    const asked = { ...inputs, url: "https://me:new@example.net/current/noble.img", hidden: true as const };
    expect(await provider.diff(config, state.volumeId, state, asked)).toMatchObject({ changes: true, replaces: [] });
    const updated = await provider.update(config, state.volumeId, state, asked);
    expect(updated).toMatchObject({ url: asked.url, hidden: true, storedName: state.storedName });
    expect(await provider.diff(config, state.volumeId, updated, asked)).toMatchObject({ changes: false });
  });

  test("gets the file again that a refresh did not find", async () => {
    expect(await diff({}, { ...state, missing: true })).toMatchObject({ changes: true, replaces: [] });
  });

  test("refuses at preview a disk that the image no longer fits on", async () => {
    await expect(diff({ diskBytes: 3 * 2 ** 30 })).rejects.toThrow(
      "the image's disk has 3584 MiB, more than disk.sizeGiB: 3 (3072 MiB), and a disk cannot shrink; set disk.sizeGiB to 4 or more",
    );
  });
});
