import { EnvHttpProxyAgent, fetch } from "undici";
import { lastPart } from "../../config/rules/image.ts";
import { type ChecksumAlgorithm, parseChecksum } from "../../config/template.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { withRetry } from "../../proxmox/retry.ts";

export interface Checksum {
  algorithm: ChecksumAlgorithm;
  value: string;
}

/** Strongest first: a list may have several of one file. */
const STRENGTH: readonly ChecksumAlgorithm[] = ["sha512", "sha384", "sha256", "sha224", "sha1", "md5"];

/** `SHA256 (name) = hex`; openssl writes `SHA2-256(name)= hex`. */
const BSD = /^([A-Za-z0-9/-]+)\s*\((.+)\)\s*=\s*([0-9a-fA-F]+)$/;
/** `hex  name`, or `hex *name` for a binary file. */
const GNU = /^\\?([0-9a-fA-F]{32,128})\s+\*?(.+)$/;
/** `# SHA512 HASH`: the algorithm of the lines below, where a list has several of the same length. */
const HEADING = /^#\s*(\S+) HASH$/;
const MOST_BYTES = 4 * 2 ** 20;

/** The signed text of a PGP-signed list, without its armour. */
function signedText(list: string): string {
  const signed = /^-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:.+\r?\n)*\r?\n/m.exec(list);
  const body = signed ? list.slice(signed.index + signed[0].length) : list;
  return body.split(/^-----BEGIN PGP SIGNATURE-----/m)[0]?.replace(/^- /gm, "") ?? "";
}

interface Line {
  name: string;
  value: string;
  algorithm?: string;
}

function parseLine(line: string): Line | undefined {
  const [, algorithm, bsdName, bsdValue] = BSD.exec(line) ?? [];
  if (algorithm && bsdName && bsdValue) {
    return { name: bsdName, value: bsdValue, algorithm: algorithm.toLowerCase().replace(/^sha2?-/, "sha") };
  }
  const [, value, name] = GNU.exec(line) ?? [];
  return name && value ? { name, value } : undefined;
}

/** How many parts at the end of a name and of a URL's path are the same; 0: another file. */
function sameParts(name: string, url: string): number {
  const parts = name.trim().split("/").reverse();
  const wanted = [lastPart(url), ...new URL(url).pathname.split("/").slice(0, -1).reverse()];
  const differs = parts.findIndex((part, index) => part !== wanted[index]);
  return differs === -1 ? parts.length : differs;
}

/**
 * The checksum of the image in a list: of lines for several algorithms the strongest that PVE knows, of files of the same
 * name in several folders the one whose folders are the URL's. A list that is one bare value is taken as the image's.
 *
 * @throws ProxmoxError if the list has different checksums for the file
 */
export function findChecksum(list: string, imageUrl: string): Checksum | undefined {
  const lines = signedText(list)
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  const found: (Checksum & { parts: number })[] = [];
  let heading: string | undefined;
  for (const line of lines) {
    heading = HEADING.exec(line)?.[1]?.toLowerCase() ?? heading;
    const parsed = parseLine(line);
    if (!parsed) continue;
    const algorithm = parsed.algorithm ?? heading;
    const checksum = parseChecksum(algorithm ? `${algorithm}:${parsed.value}` : parsed.value);
    const parts = sameParts(parsed.name, imageUrl);
    if (checksum && parts > 0) found.push({ ...checksum, parts });
  }
  if (found.length === 0) {
    const bare = lines.filter((line) => !line.startsWith("#"));
    return bare.length === 1 ? parseChecksum(bare[0] ?? "") : undefined;
  }
  const closest = Math.max(...found.map(({ parts }) => parts));
  const near = found.filter(({ parts }) => parts === closest);
  const algorithm = STRENGTH.find((one) => near.some((entry) => entry.algorithm === one));
  const values = new Set(near.filter((entry) => entry.algorithm === algorithm).map(({ value }) => value));
  if (values.size > 1)
    throw new ProxmoxError("checksum-list", `it has ${values.size} different checksums of ${lastPart(imageUrl)}`);
  const [value] = values;
  return algorithm && value ? { algorithm, value } : undefined;
}

class ListError extends ProxmoxError {
  readonly again: boolean;

  constructor(message: string, again: boolean) {
    super("checksum-list", message);
    this.again = again;
  }
}

const causeOf = (error: unknown): string => {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
};

/** `fetch` refuses URLs with user name and password; they go where HTTP has them. */
function request(url: string): [url: string, headers: Record<string, string>] {
  const target = new URL(url);
  const { username, password } = target;
  if (username === "" && password === "") return [url, {}];
  [target.username, target.password] = ["", ""];
  const login = Buffer.from([username, password].map(decodeURIComponent).join(":")).toString("base64");
  return [target.href, { authorization: `Basic ${login}` }];
}

async function fetchText(url: string): Promise<string> {
  // Redirects are followed, and the environment's proxy is used, as a user of a mirror expects.
  const dispatcher = new EnvHttpProxyAgent();
  try {
    const [target, headers] = request(url);
    const response = await fetch(target, { headers, dispatcher, signal: AbortSignal.timeout(30_000) });
    const { status, body } = response;
    if (status !== 200)
      throw new ListError(`the server answered ${status}`, status >= 500 || status === 408 || status === 429);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > MOST_BYTES) throw new ListError("that is no list of checksums: it has more than 4 MiB", false);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString("utf8");
  } catch (error) {
    throw error instanceof ListError ? error : new ListError(causeOf(error), true);
  } finally {
    dispatcher.destroy().catch(() => undefined);
  }
}

export interface FetchOptions {
  /** Tries after the first. */
  retries: number;
  /** First pause between tries, in milliseconds. */
  pauseMs: number;
  onRetry?: (error: unknown, attempt: number, attempts: number) => void;
}

/**
 * Fetches the list and finds the image's checksum in it. This machine asks the mirror, not the node.
 *
 * @throws ProxmoxError with the list's URL and what to do
 */
export async function fetchChecksum(listUrl: string, imageUrl: string, options: FetchOptions): Promise<Checksum> {
  const refuse = (problem: string, next: string, cause?: unknown) =>
    new ProxmoxError("checksum-list", `could not find the checksum in ${listUrl}\n  ${problem}\n  ${next}`, { cause });
  let text: string;
  try {
    text = await withRetry(() => fetchText(listUrl), {
      ...options,
      when: (error) => error instanceof ListError && error.again,
    });
  } catch (error) {
    throw refuse(
      error instanceof Error ? error.message : String(error),
      "This machine fetches the list, not the node: check checksumUrl from here, or give the checksum itself (checksum).",
      error,
    );
  }
  const next = "Check that checksumUrl is the list beside the image, or give the checksum itself (checksum).";
  let checksum: Checksum | undefined;
  try {
    checksum = findChecksum(text, imageUrl);
  } catch (error) {
    throw refuse((error as Error).message, next, error);
  }
  if (!checksum) throw refuse(`it has no checksum of ${lastPart(imageUrl)} that PVE knows`, next);
  return checksum;
}
