import { found, type Hidden, type Problem } from "../problem.ts";
import type { Template } from "../template.ts";

const COMPRESSED = /\.(xz|gz|lzo|lz4|zst|zstd|bz2|zip|7z|tgz|txz)$/i;
const OTHER = /\.(iso|ova|ovf|tar|vhd|vhdx|vdi|box)$/i;

/** The file's name in a URL: the last part of its path. */
export function lastPart(url: string): string {
  const last = new URL(url).pathname.split("/").at(-1) ?? "";
  try {
    return decodeURIComponent(last);
  } catch {
    // A lone % is no code: the name is taken as it stands.
    return last;
  }
}

const WAY_OUT = "unpack it once and serve the result from a place of your own, see docs/images.md";

/**
 * Images that PVE cannot import, before they are downloaded. It decompresses downloads of content type iso only, and
 * imports disks from other content types only (docs/decisions/0002-compressed-images.md).
 */
export function importable({ image }: Template, path: string, hidden?: Hidden): Problem[] {
  const problems: Problem[] = [];
  const wrong = (key: "url" | "fileName" | "decompress", what: string) => {
    const place = `${path}.image.${key}`;
    problems.push({ path: place, message: `found ${found(image[key], place, hidden)}${what}` });
  };
  const names = [
    ["url", lastPart(image.url)],
    ["fileName", image.fileName ?? ""],
  ] as const;
  for (const [key, name] of names) {
    const [compressed, other] = [COMPRESSED.exec(name)?.[1], OTHER.exec(name)?.[1]];
    if (compressed) {
      wrong(
        key,
        `, compressed (${compressed}), which PVE cannot import; expected a .qcow2, .img, .raw or .vmdk: ${WAY_OUT}`,
      );
    } else if (other) {
      wrong(key, `, which is no disk image (${other}); expected a .qcow2, .img, .raw or .vmdk`);
    }
  }
  if (image.decompress !== undefined) {
    wrong("decompress", `, but PVE decompresses ISO images only; expected an uncompressed image: ${WAY_OUT}`);
  }
  return problems;
}
