import { expect, test } from "vitest";
import { templateProblems } from "../testing.ts";

const imageProblems = (image: Record<string, unknown>) =>
  templateProblems({ image: { url: "https://example.net/noble.img", checksumUrl: "https://example.net/S", ...image } });

const url = "templates.noble.image.url";
const wayOut =
  "which PVE cannot import; expected a .qcow2, .img, .raw or .vmdk: unpack it once and serve the result from a place of your own, see docs/images.md";

test.each([
  [{ url: "https://example.net/noble.img" }],
  [{ url: "https://example.net/a.qcow2?x=1.xz" }],
  [{ url: "https://example.net/gz/disk.raw" }],
  [{ url: "https://example.net/disk.vmdk", format: "vmdk" }],
  [{ url: "https://example.net/download?id=5", fileName: "fedora-42.qcow2" }],
  [{ url: "https://example.net/100%.qcow2" }],
])("%j is an image that can be imported", (image) => {
  expect(imageProblems(image)).toEqual([]);
});

test.each(["xz", "gz", "zst", "bz2", "zip"])(
  "a compressed image (.%s) is refused before it is downloaded",
  (suffix) => {
    const file = `https://example.net/fcos.raw.${suffix}`;
    expect(imageProblems({ url: file })).toEqual([`${url}: found "${file}", compressed (${suffix}), ${wayOut}`]);
  },
);

test("a name for the datastore that says compressed is refused too", () => {
  expect(imageProblems({ fileName: "fcos.qcow2.xz" })).toEqual([
    `templates.noble.image.fileName: found "fcos.qcow2.xz", compressed (xz), ${wayOut}`,
  ]);
});

test.each(["gz", "xz", "zst"])("decompress: %s says why it cannot work", (decompress) => {
  expect(imageProblems({ decompress })).toEqual([
    `templates.noble.image.decompress: found "${decompress}", but PVE decompresses ISO images only; expected an uncompressed image: unpack it once and serve the result from a place of your own, see docs/images.md`,
  ]);
});

test.each(["iso", "ova", "vhdx"])("what is no disk image (.%s) is refused before it is downloaded", (suffix) => {
  expect(imageProblems({ url: `https://example.net/a.${suffix}` })).toEqual([
    `${url}: found "https://example.net/a.${suffix}", which is no disk image (${suffix}); expected a .qcow2, .img, .raw or .vmdk`,
  ]);
});
