import type { PveClient } from "../../proxmox/client.ts";
import { answerOf } from "../../proxmox/errors.ts";
import { withRetry } from "../../proxmox/retry.ts";
import { downloadUrl, listVolumes, removeVolume, type Volume } from "../../proxmox/storage.ts";
import { waitForTask } from "../../proxmox/task.ts";
import { runningTasks } from "../../proxmox/taskList.ts";
import type { Report } from "../dynamic/progress.ts";
import { failure } from "../failure.ts";
import type { Checksum } from "./checksumList.ts";
import { isBrokenFile, isRecoverable, isThereAlready, nextStep } from "./downloadErrors.ts";

/** A file of the cache and where it comes from. */
export interface CachedFile {
  node: string;
  datastore: string;
  fileName: string;
  url: string;
  checksum: Checksum | undefined;
}

export interface DownloadOptions {
  report: Report;
  /** First pause between two tries in milliseconds; it doubles, with jitter. */
  pauseMs: number;
}

const RETRIES = 2;

/** `43%` of one of wget's progress lines, or what has come so far where the mirror does not tell the size. */
export function progressOf(line: string): string | undefined {
  const percent = /\b(\d{1,3})%/.exec(line)?.[1];
  if (percent) return `${percent}%`;
  const kibi = /^\s*(\d+)K[ .]+/.exec(line)?.[1];
  return kibi && `${Math.round(Number(kibi) / 1024)} MiB`;
}

/** The file on the datastore, if it is there. PVE gives a download its name when it is complete and verified. */
export async function findFile(
  client: PveClient,
  { node, datastore, fileName }: Pick<CachedFile, "node" | "datastore" | "fileName">,
): Promise<Volume | undefined> {
  const volumes = await listVolumes(client, node, datastore, "import");
  return volumes.find(({ volid }) => volid === `${datastore}:import/${fileName}`);
}

/** Waits for a download, showing how far it is. Gives whether PVE found the right file in place of downloading it. */
async function follow(client: PveClient, upid: string, fileName: string, report: Report): Promise<boolean> {
  let shown: string | undefined;
  let wasThere = false;
  await waitForTask(client, upid, {
    onLog: (line) => {
      if (line.includes("no need to download")) wasThere = true;
      const progress = progressOf(line);
      if (progress === undefined || progress === shown) return;
      shown = progress;
      report(`downloading ${fileName}: ${progress}`);
    },
  });
  return wasThere;
}

/** Waits for a download of this file that runs already: of a run that was killed, of a lost answer, of another stack. */
async function joinRunning(client: PveClient, file: CachedFile, report: Report): Promise<boolean> {
  const tasks = await runningTasks(client, file.node, { typefilter: "download" });
  const running = tasks.find(({ id }) => id === file.fileName);
  if (!running) return false;
  report(`${file.fileName} is being downloaded already: waiting for that`);
  try {
    await follow(client, running.upid, file.fileName, report);
  } catch (error) {
    // Why that one failed, our own will tell.
    report(`the other download failed (${answerOf(error)})`);
  }
  return (await findFile(client, file)) !== undefined;
}

async function attempt(client: PveClient, file: CachedFile, report: Report): Promise<"downloaded" | "cached"> {
  const { node, datastore, fileName, url, checksum } = file;
  const isThere = (await findFile(client, file)) !== undefined;
  if (!isThere && (await joinRunning(client, file, report))) return "downloaded";
  report(isThere ? `verifying ${fileName}` : `downloading ${url} to ${datastore} on ${node}`);
  try {
    // Of a file that is there PVE takes the checksum and asks the mirror nothing.
    const upid = await downloadUrl(client, node, datastore, {
      content: "import",
      filename: fileName,
      url,
      ...(checksum && { checksum: checksum.value, "checksum-algorithm": checksum.algorithm }),
    });
    return (await follow(client, upid, fileName, report)) ? "cached" : "downloaded";
  } catch (error) {
    if (isThereAlready(error)) return "cached";
    if (isBrokenFile(error)) {
      report(`${fileName} is not what its name says: removing it`);
      await removeVolume(client, node, datastore, `${datastore}:import/${fileName}`);
    }
    throw error;
  }
}

/**
 * Has the node download and verify the file, or only verify it where it is there already. Three tries in all on what may
 * pass. A file that is not what its name says is removed; PVE itself removes what it could not finish.
 */
export async function download(
  client: PveClient,
  file: CachedFile,
  { report, pauseMs }: DownloadOptions,
): Promise<"downloaded" | "cached"> {
  let tries = 0;
  try {
    return await withRetry(
      () => {
        tries++;
        return attempt(client, file, report);
      },
      {
        when: isRecoverable,
        retries: RETRIES,
        pauseMs,
        onRetry: (error, number, of) => report(`download failed (${answerOf(error)}); try ${number + 1} of ${of}`),
      },
    );
  } catch (error) {
    const next = nextStep(error);
    throw failure(error, {
      stage: `download ${file.url}${tries > 1 ? ` in ${tries} tries` : ""}`,
      node: file.node,
      datastore: file.datastore,
      ...(next && { next }),
    });
  }
}
