import type { PveClient } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { listVolumes, readVolume } from "../../proxmox/storage.ts";
import { connect } from "../connect.ts";
import { diffByKeys } from "../diff.ts";
import { stage } from "../failure.ts";
import type { Handlers } from "../handlers.ts";
import { reporter } from "../progress.ts";
import { serially } from "../serially.ts";
import { type Checksum, fetchChecksum } from "./checksumList.ts";
import { download, findVolume, removeVolume } from "./download.ts";
import { cachedName, type ImageFormat, imageName } from "./fileName.ts";

export interface ImageInputs {
  statusUrn: string;
  node: string;
  datastore: string;
  url: string;
  /** `algorithm:hex` */
  checksum?: string;
  checksumUrl?: string;
  fileName?: string;
  format?: ImageFormat;
  /** Size in bytes that the imported disk will have; an image larger than that is refused. */
  diskBytes: number;
  keepImage: boolean;
}

export interface ImageState extends ImageInputs {
  /** Volume id, for example `local:import/noble-0123456789abcdef.qcow2`. */
  volumeId: string;
  storedName: string;
  resolvedFormat: string;
  /** `algorithm:hex`, or `none`. */
  resolvedChecksum: string;
  /** Bytes of the file. */
  sizeBytes: number;
  /** Bytes of the disk in it, where PVE tells. */
  virtualSizeBytes?: number;
  /** `downloaded` or `cached`, when this resource was made. */
  origin: "downloaded" | "cached";
}

async function checksumOf({ checksum, checksumUrl, url }: ImageInputs): Promise<Checksum | undefined> {
  if (checksum) {
    const [algorithm, value] = checksum.split(":") as [Checksum["algorithm"], string];
    return { algorithm, value };
  }
  return checksumUrl ? fetchChecksum(checksumUrl, url) : undefined;
}

/** What PVE knows of the file, or undefined if it is not there. */
async function find(client: PveClient, node: string, datastore: string, fileName: string) {
  const volume = findVolume(await listVolumes(client, node, datastore, "import"), datastore, fileName);
  if (!volume) return undefined;
  const details = await readVolume(client, node, datastore, volume.volid);
  // The list has the file's bytes; the details have the virtual size of the disk and the bytes in use.
  return { volume, virtualSizeBytes: details.size };
}

const mebi = (bytes: number) => `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;

async function ensure(client: PveClient, inputs: ImageInputs): Promise<ImageState> {
  const { node, datastore, url } = inputs;
  const report = reporter(inputs.statusUrn);
  const checksum = await checksumOf(inputs);
  const storedName = cachedName(imageName(url, inputs.fileName, inputs.format), {
    url,
    ...(checksum && { checksum: checksum.value }),
  });
  // Two templates of one image are two resources of this process: the second waits and finds the file.
  return serially(`${node}/${datastore}/${storedName}`, async () => {
    let found = await find(client, node, datastore, storedName);
    const origin = found ? "cached" : "downloaded";
    if (!found) {
      report(`downloading ${url} to ${datastore} on ${node}`);
      await download(client, { node, datastore, fileName: storedName, url, ...(checksum && { checksum }) }, report);
      found = await find(client, node, datastore, storedName);
    }
    if (!found)
      throw new ProxmoxError(
        "image",
        `PVE says that the download went well, but ${datastore} does not list ${storedName}`,
      );
    const { volume, virtualSizeBytes } = found;
    if (virtualSizeBytes !== undefined && virtualSizeBytes > inputs.diskBytes) {
      throw new ProxmoxError(
        "image",
        `the image's disk has ${mebi(virtualSizeBytes)}, more than disk.sizeGiB (${mebi(inputs.diskBytes)}); a disk cannot shrink: set disk.sizeGiB to ${Math.ceil(virtualSizeBytes / 2 ** 30)} or more`,
      );
    }
    report(
      `${storedName}: ${origin}, ${mebi(volume.size ?? 0)}${virtualSizeBytes ? `, disk ${mebi(virtualSizeBytes)}` : ""}, ${checksum ? `${checksum.algorithm} verified` : "no checksum"}`,
    );
    return {
      ...inputs,
      volumeId: volume.volid,
      storedName,
      resolvedFormat: volume.format ?? storedName.split(".").at(-1) ?? "",
      resolvedChecksum: checksum ? `${checksum.algorithm}:${checksum.value}` : "none",
      sizeBytes: volume.size ?? 0,
      ...(virtualSizeBytes !== undefined && { virtualSizeBytes }),
      origin,
    };
  });
}

const where = ({ node, datastore }: ImageInputs, doing: string) => ({ stage: doing, node, datastore });

/** A cloud image in a datastore's cache, downloaded and verified by the node. */
export const provider: Handlers<ImageInputs, ImageState> = {
  async diff(_config, _id, olds, news) {
    return diffByKeys<ImageInputs>(olds, news, {
      replacing: ["node", "datastore", "url", "checksum", "checksumUrl", "fileName", "format"],
      updating: ["keepImage", "diskBytes"],
    });
  },

  async create(config, inputs) {
    const outs = await stage(where(inputs, `get the image ${inputs.url}`), () => ensure(connect(config), inputs));
    return { id: outs.volumeId, outs };
  },

  async read(config, _id, state) {
    const found = await find(connect(config), state.node, state.datastore, state.storedName);
    return found && { outs: { ...state, sizeBytes: found.volume.size ?? state.sizeBytes } };
  },

  async update(_config, _id, olds, news) {
    return { ...olds, ...news };
  },

  async delete(config, _id, state) {
    if (state.keepImage) return;
    await stage(where(state, "remove the cached image"), () =>
      removeVolume(connect(config), state.node, state.datastore, state.volumeId),
    );
  },
};
