import type { PveClient } from "../../proxmox/client.ts";
import { answerOf, ConnectionError, TaskError } from "../../proxmox/errors.ts";
import { isTransient, withRetry } from "../../proxmox/retry.ts";
import { deleteVolume, downloadUrl, isMissingVolume, listVolumes, type Volume } from "../../proxmox/storage.ts";
import { waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../progress.ts";
import type { Checksum } from "./checksumList.ts";

export interface Download {
  node: string;
  datastore: string;
  fileName: string;
  url: string;
  checksum?: Checksum;
}

/** wget ends with 8 for a 4xx as for a 5xx; the line before it in the log tells which. */
const CLIENT_ERROR = /ERROR 4\d\d/;
const FINAL =
  /checksum mismatch|failed to verify|no space|not enough|refusing to override|permission|invalid|unsupported|not supported/i;

/** Whether another try may help: a dropped connection, a 5xx, DNS, a timeout; never a 404, a wrong checksum or a full disk. */
export function isRecoverable(error: unknown): boolean {
  if (isTransient(error)) return true;
  if (!(error instanceof TaskError) || FINAL.test(error.exitStatus)) return false;
  return /download failed/.test(error.exitStatus) && !error.log.some((line) => CLIENT_ERROR.test(line));
}

/** `… 43% 11.2M 3s` of wget's progress lines. */
export function percentOf(line: string): string | undefined {
  return /\b(\d{1,3})%/.exec(line)?.[1];
}

export function findVolume(volumes: readonly Volume[], datastore: string, fileName: string): Volume | undefined {
  return volumes.find(({ volid }) => volid === `${datastore}:import/${fileName}`);
}

async function downloadOnce(
  client: PveClient,
  { node, datastore, fileName, url, checksum }: Download,
  report: Report,
): Promise<void> {
  const upid = await downloadUrl(client, node, datastore, {
    content: "import",
    filename: fileName,
    url,
    ...(checksum && { checksum: checksum.value, "checksum-algorithm": checksum.algorithm }),
  });
  let shown = "";
  await waitForTask(client, upid, {
    onLog: (line) => {
      const percent = percentOf(line);
      if (percent === undefined || percent === shown) return;
      shown = percent;
      report(`downloading ${fileName}: ${percent}%`);
    },
  });
}

/** Has the node download and verify the file; three more tries on what may pass; a broken file is removed. */
export async function download(client: PveClient, options: Download, report: Report): Promise<void> {
  const { node, datastore, fileName } = options;
  const find = async () => findVolume(await listVolumes(client, node, datastore, "import"), datastore, fileName);
  await withRetry(
    async () => {
      try {
        await downloadOnce(client, options, report);
      } catch (error) {
        // Somebody else was faster with the same file: by its name it is the right one.
        if (/refusing to override/.test(answerOf(error)) && (await find())) return;
        // PVE removes its own temporary file; a file under the final name that failed is not to be trusted. After a
        // dropped connection the task may still be writing: then the next try finds out.
        if (!(error instanceof ConnectionError)) await removeBroken(client, options, find);
        throw error;
      }
    },
    {
      when: isRecoverable,
      pauseMs: 1000,
      onRetry: (error, attempt, attempts) =>
        report(`download failed (${answerOf(error)}); try ${attempt + 1} of ${attempts}`),
    },
  );
}

async function removeBroken(
  client: PveClient,
  { node, datastore }: Download,
  find: () => Promise<Volume | undefined>,
): Promise<void> {
  const broken = await find().catch(() => undefined);
  if (broken) await removeVolume(client, node, datastore, broken.volid);
}

/** Deletes a volume and waits for it; one that is gone already is fine. */
export async function removeVolume(client: PveClient, node: string, datastore: string, volid: string): Promise<void> {
  try {
    const upid = await deleteVolume(client, node, datastore, volid);
    if (upid) await waitForTask(client, upid);
  } catch (error) {
    if (!isMissingVolume(error)) throw error;
  }
}
