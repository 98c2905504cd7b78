import { createHash } from "node:crypto";

export type ImageFormat = "qcow2" | "raw" | "vmdk";

export interface ImageName {
  /** Name without checksum and extension, safe for PVE. */
  stem: string;
  format: ImageFormat;
  /** The suffix of a compressed file, if it is one. */
  compression?: string;
}

const EXTENSION = /\.(qcow2|raw|vmdk|img)$/i;
const COMPRESSION = /\.(xz|gz|lzo|zst|bz2)$/i;

/** What the last part of a URL, or a `fileName` of the config, says of an image. Cloud images called `.img` are qcow2. */
export function imageName(url: string, fileName?: string, format?: ImageFormat): ImageName {
  const last = fileName ?? decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");
  const compression = COMPRESSION.exec(last)?.[1]?.toLowerCase();
  const base = last.replace(COMPRESSION, "");
  const extension = EXTENSION.exec(base)?.[1]?.toLowerCase();
  const guessed: ImageFormat = extension === "raw" || extension === "vmdk" ? extension : "qcow2";
  const stem = base
    .replace(EXTENSION, "")
    .replace(/[^a-zA-Z0-9._-]+/g, "-")
    .replace(/^[^a-zA-Z0-9]+/, "")
    .slice(0, 100);
  return { stem: stem || "image", format: format ?? guessed, ...(compression && { compression }) };
}

/**
 * The name on the datastore. It carries the checksum, so that a file of this name has been verified by PVE. Without a
 * checksum it carries a hash of the URL: another URL is another file.
 */
export function cachedName({ stem, format }: ImageName, source: { checksum?: string; url: string }): string {
  const key = source.checksum ?? `url${createHash("sha256").update(source.url).digest("hex")}`;
  return `${stem}-${key.slice(0, source.checksum ? 16 : 15)}.${format}`;
}
