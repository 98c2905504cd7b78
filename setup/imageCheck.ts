import { fetchChecksum } from "../providers/image/checksumList.ts";

const SECONDS = 10;

/** Why an image cannot be reached from this machine, in one sentence; undefined: it answers. */
async function unreachable(url: string): Promise<string | undefined> {
  try {
    const { ok, status } = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(SECONDS * 1000) });
    return ok ? undefined : `${url} answers ${status}`;
  } catch (error) {
    const { cause, message } = error as Error;
    const why = cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : message;
    return `${url} does not answer (${why})`;
  }
}

/**
 * Looks whether image and checksum list answer, and whether the list names the file. The node downloads the image, this machine
 * alone looks here: what is wrong is told, and decides nothing.
 *
 * @returns what is wrong, in sentences
 */
export async function checkImage({ url, checksumUrl }: { url: string; checksumUrl?: string }): Promise<string[]> {
  const list =
    checksumUrl === undefined
      ? undefined
      : fetchChecksum(checksumUrl, url, { retries: 0, pauseMs: 0 }).then(
          () => undefined,
          (error: unknown) => (error as Error).message.split("\n").slice(0, 2).join(":").replace(/:\s+/, ": "),
        );
  const found = await Promise.all([unreachable(url), list]);
  return found.filter((one) => one !== undefined);
}
