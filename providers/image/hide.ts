import { withoutCredentials } from "../../config/credentials.ts";
import { lastPart } from "../../config/rules/image.ts";
import type { ImageInputs } from "./provider.ts";

/** What of a URL other programs write into their messages without the rest of it. */
function partsOf(url: string): string[] {
  const { host, hostname, pathname, search } = new URL(url);
  // Shorter ones are also in words that say nothing of the URL.
  return [host, hostname, pathname, search, lastPart(url)].filter((part) => part.length > 3);
}

/**
 * Takes out of a text for people what must not be in it: of every URL the credentials; where the image's URLs are secrets,
 * all of every URL, and what PVE and wget write of these. They write the URL into the log of the download task.
 */
export function hider({ url, checksumUrl, hidden }: Pick<ImageInputs, "url" | "checksumUrl" | "hidden">) {
  if (!hidden) return withoutCredentials;
  const parts = [url, ...(checksumUrl ? [checksumUrl] : [])].flatMap(partsOf).sort((a, b) => b.length - a.length);
  return (text: string): string =>
    parts.reduce((rest, part) => rest.replaceAll(part, "…"), text.replace(/https?:\/\/[^\s'"]+/g, "(secret URL)"));
}

/** Runs work whose errors have nothing in their messages that must not be there. */
export async function hiding<T>(inputs: ImageInputs, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error) error.message = hider(inputs)(error.message);
    throw error;
  }
}
