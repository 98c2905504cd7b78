import type { PveClient } from "../../proxmox/client.ts";
import { ApiError, ProxmoxError } from "../../proxmox/errors.ts";
import { listDatastores, readVolume } from "../../proxmox/storage.ts";
import { failure } from "../failure.ts";
import type { Run } from "../run/run.ts";
import { type CachedFile, type DownloadOptions, download, findFile } from "./download.ts";

/** What PVE knows of a file of the cache. */
export interface ImageFile {
  volumeId: string;
  format: string;
  /** Bytes of the file. */
  sizeBytes: number;
  /** Bytes of the disk in it, where PVE tells. */
  virtualSizeBytes?: number;
}

type Place = Pick<CachedFile, "node" | "datastore" | "fileName">;

/** PVE refuses the details of a file that is empty or no image; that it is broken, its checksum will tell. */
async function virtualSizeOf(client: PveClient, { node, datastore }: Place, volid: string) {
  try {
    return (await readVolume(client, node, datastore, volid)).size;
  } catch (error) {
    if (error instanceof ApiError && /volume_size_info|has size zero/.test(error.answer)) return undefined;
    throw error;
  }
}

/** The file with its sizes, or undefined if it is not there. */
export async function readFile(client: PveClient, place: Place): Promise<ImageFile | undefined> {
  const volume = await findFile(client, place);
  if (!volume) return undefined;
  // The list has the file's bytes; the details have the virtual size of the disk in it.
  const size = await virtualSizeOf(client, place, volume.volid);
  return {
    volumeId: volume.volid,
    format: volume.format ?? place.fileName.split(".").at(-1) ?? "",
    sizeBytes: volume.size ?? 0,
    ...(size && { virtualSizeBytes: size }),
  };
}

/** What is remembered of images in one run. */
export type ImageRun = Pick<Run, "client" | "heldImages" | "imageQueues">;

/** Whether all nodes see the same files of a datastore. */
export async function isShared(client: PveClient, { node, datastore }: Place): Promise<boolean> {
  return (await listDatastores(client, node)).some(({ storage, shared }) => storage === datastore && shared);
}

/** One file, one key. */
const keyOf = ({ node, datastore, fileName }: Place, shared: boolean) =>
  `${shared ? "" : node}/${datastore}/${fileName}`;

/** Whether this run has asked for the file. */
export const isHeld = ({ heldImages }: ImageRun, place: Place, shared: boolean): boolean =>
  heldImages.has(keyOf(place, shared));

const mebi = (bytes: number) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;

/** @throws ProxmoxError if the image's disk is larger than the one that is to be made from it */
export function assertFits(virtualSizeBytes: number | undefined, diskBytes: number): void {
  if (virtualSizeBytes === undefined || virtualSizeBytes <= diskBytes) return;
  const enough = Math.ceil(virtualSizeBytes / 2 ** 30);
  throw new ProxmoxError(
    "image-too-large",
    `the image's disk has ${mebi(virtualSizeBytes)}, more than disk.sizeGiB: ${diskBytes / 2 ** 30} (${mebi(diskBytes)}), and a disk cannot shrink; set disk.sizeGiB to ${enough} or more`,
  );
}

export type Origin = "downloaded" | "cached";

/** The file's facts in one line for a person. */
export function infoText(name: string, file: ImageFile, checksum: CachedFile["checksum"], origin: Origin): string {
  const { format, sizeBytes, virtualSizeBytes } = file;
  const disk = virtualSizeBytes === undefined ? "" : `, disk ${mebi(virtualSizeBytes)}`;
  const verified = checksum ? `${checksum.algorithm} verified` : "not verified (no checksum)";
  return `${name}: ${origin}, ${format}, ${mebi(sizeBytes)}${disk}, ${verified}`;
}

/**
 * Makes sure that the file is in the cache, verified if there is a checksum. Templates of the same image are resources of
 * the same process: the second waits for the first and finds the file.
 */
export async function ensureFile(
  { client, heldImages, imageQueues }: ImageRun,
  file: CachedFile,
  options: DownloadOptions,
): Promise<ImageFile & { origin: Origin }> {
  const key = keyOf(file, await isShared(client, file));
  return imageQueues.run(key, async () => {
    const before = await readFile(client, file);
    const trusted = before && (heldImages.has(key) || !file.checksum);
    const origin = trusted ? "cached" : await download(client, file, options);
    const found = trusted ? before : await readFile(client, file);
    if (!found) {
      const { url, node, datastore, fileName } = file;
      throw failure(
        new ProxmoxError("image", `PVE says that all went well, but ${datastore} does not list ${fileName}`),
        { stage: `download ${url}`, node, datastore },
      );
    }
    heldImages.add(key);
    options.report(infoText(file.fileName, found, file.checksum, origin));
    return { ...found, origin };
  });
}
