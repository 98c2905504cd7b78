import { createHash } from "node:crypto";
import { createWriteStream, rmSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { runCommand } from "./command.ts";
import { InterruptedError } from "./interrupt.ts";
import { duration, type Progress } from "./progress.ts";
import type { Release } from "./releases.ts";

/** A release that is not to be had, for whatever reason; the message says which. */
export class DownloadError extends Error {
  override name = "DownloadError";

  constructor({ title, url }: Release, reason: string) {
    super(`${title} cannot be downloaded from ${url}: ${reason}`);
  }
}

/** For how long nothing may be heard of the server, in ms: until it answers, and once it has. */
export interface Patience {
  answer: number;
  more: number;
}

const patience: Patience = { answer: 5_000, more: 30_000 };

/**
 * Downloads an archive into a folder, and unpacks it there once its SHA-256 is the published one. Goes through the proxy
 * that the environment names (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
 *
 * @throws DownloadError; what is in the folder by then is for the caller to remove
 */
export async function download(
  release: Release,
  folder: string,
  progress: Progress,
  signal: AbortSignal,
  { answer, more }: Patience = patience,
): Promise<void> {
  // Most starts download nothing.
  const { EnvHttpProxyAgent, fetch } = await import("undici");
  const started = Date.now();
  const silence = new AbortController();
  const ended = AbortSignal.any([signal, silence.signal]);
  const dispatcher = new EnvHttpProxyAgent();
  let timer: NodeJS.Timeout | undefined;
  const heard = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(new Error(`no answer for ${duration(ms)}`)), ms);
  };
  const get = async (file: string) => {
    heard(answer);
    const response = await fetch(`${release.url}/${file}`, { dispatcher, signal: ended });
    heard(more);
    if (!response.ok) throw new Error(`${file}: HTTP status ${response.status}`);
    return response;
  };
  const file = join(folder, release.archive);
  try {
    const published = checksumIn(await (await get(release.checksums)).text(), release);
    const { body, headers } = await get(release.archive);
    if (body === null) throw new Error(`${release.archive}: empty`);
    const total = Number(headers.get("content-length"));
    progress.line(`downloading ${release.title}${total ? ` (${megabytes(total)} MB)` : ""} from ${release.url}`);
    const hash = createHash("sha256");
    let bytes = 0;
    await pipeline(
      Readable.fromWeb(body),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          heard(more);
          hash.update(chunk);
          bytes += chunk.length;
          const ofTotal = total ? ` of ${megabytes(total)}` : "";
          progress.status(`${release.title}: ${megabytes(bytes)}${ofTotal} MB in ${duration(Date.now() - started)}`);
          yield chunk;
        }
      },
      createWriteStream(file),
      { signal: ended },
    );
    const found = hash.digest("hex");
    if (found !== published) {
      throw new Error(
        `${release.archive} is not what was published: its SHA-256 is ${found}, the list says ${published}`,
      );
    }
    clearTimeout(timer);
    await unpack(release, file, folder, signal);
  } catch (error) {
    if (signal.aborted) throw new InterruptedError(`downloading ${release.title}`);
    throw new DownloadError(release, reasonOf(silence.signal.aborted ? silence.signal.reason : error));
  } finally {
    clearTimeout(timer);
    progress.end();
    await dispatcher.destroy();
  }
  rmSync(file);
  progress.line(`${release.title}: downloaded and verified in ${duration(Date.now() - started)}`);
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e6);

/** The line of `sha256sum` for the archive. */
function checksumIn(list: string, { archive, checksums }: Release): string {
  const lines = list.split("\n").map((line) => line.trim().split(/\s+\*?/));
  const sum = lines.find(([, name]) => name === archive)?.[0];
  if (!/^[0-9a-f]{64}$/.test(sum ?? "")) throw new Error(`${checksums} has no SHA-256 of ${archive}`);
  return sum ?? "";
}

async function unpack(release: Release, file: string, folder: string, signal: AbortSignal): Promise<void> {
  const args = ["-xzf", file, "-C", folder, `--strip-components=${release.strip}`, "--no-same-owner"];
  const { code, stderr, failure } = await runCommand("tar", args, { signal });
  if (code !== 0) throw new Error(`tar cannot unpack it: ${stderr.trim() || failure?.message}`);
}

/** What is behind an error of `fetch`, which itself only says that it failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return reasonOf(error.cause);
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}
