import { withoutLogin } from "../../config/credentials.ts";
import { parseChecksum } from "../../config/template.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { removeVolume } from "../../proxmox/storage.ts";
import { changedKeys, diffByKeys } from "../dynamic/diff.ts";
import type { Handlers } from "../dynamic/handlers.ts";
import { reporter } from "../dynamic/progress.ts";
import { stage } from "../failure.ts";
import { readStackConfig, runOf } from "../run/connect.ts";
import { type Checksum, fetchChecksum } from "./checksumList.ts";
import type { DownloadOptions } from "./download.ts";
import { assertFits, ensureFile, type ImageRun, isHeld, isShared, type Origin, readFile } from "./ensure.ts";
import { cachedName, type ImageFormat } from "./fileName.ts";
import { hider, hiding } from "./hide.ts";
import { keptFor } from "./users.ts";

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
  /** The URLs are secrets of the stack config: no message shows them. */
  hidden?: true;
}

/** What was found when the file was got. */
interface ImageFacts {
  /** Volume id, for example `local:import/noble-0123456789abcdef.qcow2`. */
  volumeId: string;
  storedName: string;
  resolvedFormat: string;
  /** `algorithm:hex`, or `none`. With a `checksumUrl` it is what the list said then, and stays. */
  resolvedChecksum: string;
  /** Bytes of the file. */
  sizeBytes: number;
  /** Bytes of the disk in it, where PVE tells. */
  virtualSizeBytes?: number;
  /** `downloaded` or `cached`, when this resource was made. */
  origin: Origin;
  /** A refresh did not find the file: the next `up` gets the same one again. */
  missing?: true;
}

export interface ImageState extends ImageInputs, ImageFacts {}

/** The checksum that the file must have: the config's, or what the list says now. */
async function checksumOf(
  { checksum, checksumUrl, url }: ImageInputs,
  { report, pauseMs }: DownloadOptions,
): Promise<Checksum | undefined> {
  if (checksum) return parseChecksum(checksum);
  if (!checksumUrl) return undefined;
  return fetchChecksum(checksumUrl, url, {
    retries: 2,
    pauseMs,
    onRetry: (error, number, of) => report(`checksum list: ${(error as Error).message}; try ${number + 1} of ${of}`),
  });
}

/** Gets the file with this checksum and looks whether it fits. */
async function obtain(
  run: ImageRun,
  inputs: ImageInputs,
  { checksum, fileName }: { checksum: Checksum | undefined; fileName: string },
  options: DownloadOptions,
): Promise<ImageFacts> {
  const { node, datastore, url, diskBytes } = inputs;
  const { volumeId, format, sizeBytes, virtualSizeBytes, origin } = await ensureFile(
    run,
    { node, datastore, url, checksum, fileName },
    options,
  );
  assertFits(virtualSizeBytes, diskBytes);
  return {
    volumeId,
    storedName: fileName,
    resolvedFormat: format,
    resolvedChecksum: checksum ? `${checksum.algorithm}:${checksum.value}` : "none",
    sizeBytes,
    ...(virtualSizeBytes !== undefined && { virtualSizeBytes }),
    origin,
  };
}

/** Downloads or finds the image of a new resource. */
export async function createImage(run: ImageRun, inputs: ImageInputs, options: DownloadOptions): Promise<ImageState> {
  const checksum = await checksumOf(inputs, options);
  const fileName = cachedName({ ...inputs, checksum: checksum?.value });
  return { ...inputs, ...(await obtain(run, inputs, { checksum, fileName }, options)) };
}

/** The very file that the state names, which a refresh did not find: a list is not read again. */
async function restoreImage(
  run: ImageRun,
  state: ImageState,
  inputs: ImageInputs,
  options: DownloadOptions,
): Promise<ImageFacts> {
  const checksum = parseChecksum(state.resolvedChecksum);
  try {
    return await obtain(run, inputs, { checksum, fileName: state.storedName }, options);
  } catch (error) {
    if (!inputs.checksumUrl || !(error instanceof ProxmoxError) || !/checksum mismatch/.test(error.message))
      throw error;
    const hint = `The checksum is what ${inputs.checksumUrl} said when the image was first downloaded; the mirror has another file now. To take that one, give its checksum in the config (checksum): it makes a new template.`;
    throw new ProxmoxError(error.code, `${error.message}\n  ${hint}`, { cause: error });
  }
}

function options(inputs: ImageInputs): DownloadOptions {
  const [report, hide] = [reporter(inputs.statusUrn), hider(inputs)];
  return { report: (text) => report(hide(text)), pauseMs: 1000 };
}

const where = ({ node, datastore }: ImageInputs, doing: string) => ({ stage: doing, node, datastore });

const place = ({ node, datastore, storedName }: ImageState) => ({ node, datastore, fileName: storedName });

/** Where the bytes come from: of no interest as long as they are the same. */
const SOURCE = ["url", "checksum", "checksumUrl"] as const;

/** With URLs that do not change when a password in them does. */
const sourced = ({ url, checksumUrl, ...rest }: ImageInputs): ImageInputs => ({
  ...rest,
  url: withoutLogin(url),
  ...(checksumUrl && { checksumUrl: withoutLogin(checksumUrl) }),
});

/** A cloud image in a datastore's cache, downloaded and verified by the node. */
export const provider: Handlers<ImageInputs, ImageState> = {
  stateVersion: 1,

  async diff(_config, _id, olds, news) {
    const sameBytes = news.checksum !== undefined && news.checksum === olds.resolvedChecksum;
    const found = diffByKeys<ImageInputs>(sourced(olds), sourced(news), {
      replacing: ["node", "datastore", "fileName", "format", ...(sameBytes ? [] : SOURCE)],
      updating: ["keepImage", "diskBytes", ...(sameBytes ? SOURCE : [])],
    });
    if (found.replaces?.length === 0) assertFits(olds.virtualSizeBytes, news.diskBytes);
    const asked = changedKeys<ImageInputs>(olds, news, ["url", "checksumUrl", "hidden"]).length > 0;
    // Another image is another file, so both can be there: the old one goes when nothing is made from it any more.
    return { ...found, changes: found.changes || asked || olds.missing === true, deleteBeforeReplace: false };
  },

  async create(config, inputs) {
    const outs = await hiding(inputs, () =>
      stage(where(inputs, `get the image ${inputs.url}`), () => createImage(runOf(config), inputs, options(inputs))),
    );
    return { id: outs.volumeId, outs };
  },

  async read(config, _id, { missing: _, ...state }) {
    const found = await readFile(runOf(config).client, place(state));
    return { outs: found ? { ...state, sizeBytes: found.sizeBytes } : { ...state, missing: true } };
  },

  async update(config, _id, olds, news) {
    const { volumeId, storedName, resolvedFormat, resolvedChecksum, sizeBytes, virtualSizeBytes, origin } = olds;
    const facts = { volumeId, storedName, resolvedFormat, resolvedChecksum, sizeBytes, origin };
    if (!olds.missing) return { ...news, ...facts, ...(virtualSizeBytes !== undefined && { virtualSizeBytes }) };
    return hiding(news, () =>
      stage(where(news, `get the image ${news.url} again`), async () => ({
        ...news,
        ...(await restoreImage(runOf(config), olds, news, options(news))),
      })),
    );
  },

  async delete(config, _id, state) {
    if (state.keepImage) return;
    const { templates } = readStackConfig(config);
    const name = state.statusUrn.split("::").at(-1) ?? "";
    const run = runOf(config);
    const { client } = run;
    const remove = async () => {
      const shared = await isShared(client, place(state));
      const user = keptFor(name, state, templates, shared);
      if (user !== undefined) {
        reporter(state.statusUrn)(`${state.storedName} stays: ${user} is made from it too`);
        return;
      }
      // A resource that was replaced by one of the same file.
      if (isHeld(run, place(state), shared)) return;
      await removeVolume(client, state.node, state.datastore, state.volumeId);
    };
    await run.deletions.attempt(() => stage(where(state, "remove the cached image"), remove));
  },
};
