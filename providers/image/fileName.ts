import { createHash } from "node:crypto";
import { withoutLogin } from "../../config/credentials.ts";
import { lastPart } from "../../config/rules/image.ts";

export type ImageFormat = "qcow2" | "raw" | "vmdk";

/** What the name of a file on the datastore is made from. */
export interface NameSource {
  url: string;
  /** Of the config, instead of the URL's last part. */
  fileName?: string | undefined;
  format?: ImageFormat | undefined;
  /** Hex digits. */
  checksum?: string | undefined;
  /** The URL is a secret, so nothing of it is in the name. */
  hidden?: boolean | undefined;
}

const EXTENSION = /\.(qcow2|raw|vmdk|img)$/i;

/** By the extension, if nobody says it: cloud images called `.img` are qcow2. */
function formatOf(name: string): ImageFormat {
  const extension = EXTENSION.exec(name)?.[1]?.toLowerCase();
  return extension === "raw" || extension === "vmdk" ? extension : "qcow2";
}

/** Characters and dots as PVE takes them in a file name. */
const safe = (name: string) =>
  name
    .replace(EXTENSION, "")
    .replace(/[^a-zA-Z0-9._-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[^a-zA-Z0-9]+/, "")
    .slice(0, 100);

/**
 * The name on the datastore. It carries the checksum, so that another content is another file. Without a checksum it
 * carries a hash of the URL: another URL is another file. Credentials in the URL are not part of that hash.
 */
export function cachedName({ url, fileName, format, checksum, hidden }: NameSource): string {
  const name = fileName ?? lastPart(url);
  const shown = fileName === undefined && hidden ? "" : safe(name);
  const hash = () => createHash("sha256").update(withoutLogin(url)).digest("hex").slice(0, 12);
  return `${shown || "image"}-${checksum?.slice(0, 16) ?? `url${hash()}`}.${format ?? formatOf(name)}`;
}
