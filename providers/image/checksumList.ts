import { request } from "undici";
import { type ChecksumAlgorithm, parseChecksum } from "../../config/template.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { withRetry } from "../../proxmox/retry.ts";

export interface Checksum {
  algorithm: ChecksumAlgorithm;
  value: string;
}

const BSD = /^([A-Za-z0-9-]+)\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)$/;
const GNU = /^([0-9a-fA-F]{32,128})\s+[ *]?(.+)$/;

/** The algorithm that a list's own name gives away, as in SHA512SUMS or noble.img.sha256. */
function algorithmOfName(listUrl: string): string | undefined {
  return /(md5|sha1|sha224|sha256|sha384|sha512)/i
    .exec(new URL(listUrl).pathname.split("/").at(-1) ?? "")?.[1]
    ?.toLowerCase();
}

/** The checksum of `fileName` in a list: `<hex>  <name>`, `<hex> *<name>`, `SHA256 (<name>) = <hex>`, or one bare hex value. */
export function findChecksum(list: string, fileName: string, listUrl: string): Checksum | undefined {
  const lines = list
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("-----"));
  const named = algorithmOfName(listUrl);
  const sameFile = (name: string) => name.trim().replace(/^\.\//, "").split("/").at(-1) === fileName;
  const checksum = (value: string, algorithm?: string) => parseChecksum(algorithm ? `${algorithm}:${value}` : value);
  for (const line of lines) {
    const bsd = BSD.exec(line);
    if (bsd && sameFile(bsd[2] ?? "")) return checksum(bsd[3] ?? "", bsd[1]?.toLowerCase().replace("-", ""));
    const gnu = GNU.exec(line);
    if (gnu && sameFile(gnu[2] ?? "")) return checksum(gnu[1] ?? "", named);
  }
  const [only, ...others] = lines;
  return only && others.length === 0 && /^[0-9a-fA-F]+$/.test(only) ? checksum(only, named) : undefined;
}

class ListError extends ProxmoxError {
  readonly again: boolean;

  constructor(message: string, again: boolean) {
    super("checksum-list", message);
    this.again = again;
  }
}

/** Fetches the list and finds the image's checksum in it. This machine asks the mirror, not the node. */
export async function fetchChecksum(
  listUrl: string,
  imageUrl: string,
  onRetry?: (error: unknown) => void,
): Promise<Checksum> {
  const text = await withRetry(
    async () => {
      const response = await request(listUrl, { headersTimeout: 30_000, bodyTimeout: 30_000 }).catch((error: Error) => {
        throw new ListError(`cannot fetch ${listUrl}: ${error.message}`, true);
      });
      const body = await response.body.text();
      if (response.statusCode !== 200)
        throw new ListError(`${listUrl} answered ${response.statusCode}`, response.statusCode >= 500);
      return body;
    },
    { when: (error) => error instanceof ListError && error.again, ...(onRetry && { onRetry }) },
  );
  const fileName = decodeURIComponent(new URL(imageUrl).pathname.split("/").at(-1) ?? "");
  const found = findChecksum(text, fileName, listUrl);
  if (!found)
    throw new ProxmoxError(
      "checksum-list",
      `${listUrl} has no checksum of ${fileName}; give its checksum in the config, or the right list`,
    );
  return found;
}
