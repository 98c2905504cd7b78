import { type Params, type PveClient, path } from "./client.ts";
import { ApiError } from "./errors.ts";
import { waitForTask } from "./task.ts";

/** A datastore as seen from a node (PVE: storage). */
export interface Datastore {
  storage: string;
  type: string;
  content: string;
  active?: number;
  enabled?: number;
  shared?: number;
  /** Bytes. */
  avail?: number;
  total?: number;
  used?: number;
}

/** A file or volume of a datastore. */
export interface Volume {
  volid: string;
  content: string;
  format?: string;
  /** Bytes; of a disk image its virtual size. */
  size?: number;
  used?: number;
  vmid?: number;
  parent?: string;
}

export function listDatastores(client: PveClient, node: string): Promise<Datastore[]> {
  return client.get(path`/nodes/${node}/storage`);
}

export function listVolumes(client: PveClient, node: string, datastore: string, content: string): Promise<Volume[]> {
  return client.get(path`/nodes/${node}/storage/${datastore}/content`, { content });
}

/** Attributes of one volume: bytes of the file and virtual size of the disk in it. */
export function readVolume(client: PveClient, node: string, datastore: string, volid: string): Promise<Volume> {
  return client.get(path`/nodes/${node}/storage/${datastore}/content/${volid}`);
}

/** Has the node download a URL (PVE: download-url); gives the task's UPID. */
export function downloadUrl(client: PveClient, node: string, datastore: string, options: Params): Promise<string> {
  return client.post(path`/nodes/${node}/storage/${datastore}/download-url`, options);
}

/** Deletes a volume and waits for it; one that is gone already is fine. */
export async function removeVolume(client: PveClient, node: string, datastore: string, volid: string): Promise<void> {
  try {
    const upid = await client.delete<string | null>(path`/nodes/${node}/storage/${datastore}/content/${volid}`);
    // null: it was quick.
    if (upid) await waitForTask(client, upid);
  } catch (error) {
    if (!isMissingVolume(error)) throw error;
  }
}

function isMissingVolume(error: unknown): boolean {
  return error instanceof ApiError && /does not exist|no such (file|volume)|unable to (parse|find)/i.test(error.answer);
}
