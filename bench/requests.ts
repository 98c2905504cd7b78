import type { LoggedRequest } from "../lab/lab.ts";
import { firstVmId } from "./fleet.ts";

type Request = Pick<LoggedRequest, "method" | "path">;

/** A task's id in a path: node, process, two times, then type and what it is about. */
const task = /\/tasks\/UPID:(?:[^:/]*:){4}(\w*):([^:/]*):[^/]*/;

/** A VM's volume in a path: `local-lvm:vm-101-disk-0`. */
const volume = /\b(vm|base)-\d+(-[a-z]+)/;

/** What kind of request it is: method and path, with VMIDs, nodes and task ids taken out. */
export function kindOf({ method, path }: Request): string {
  const kind = path
    .replace(task, "/tasks/… ($1)")
    .replace(/\/nodes\/[^/]+/, "/nodes/…")
    .replace(/\/qemu\/\d+/, "/qemu/…")
    .replace(volume, "$1-…$2");
  return `${method} ${kind}`;
}

/** By the VMID in the path, in a task's id or a volume's name. The task that makes a clone carries its template's. */
function isAboutClone({ method, path }: Request): boolean {
  const [, type, taskId] = task.exec(path) ?? [];
  if (type !== undefined) return type === "qmclone" || Number(taskId) >= firstVmId;
  if (method === "POST" && path.endsWith("/clone")) return true;
  return Number(/\/qemu\/(\d+)|\bvm-(\d+)-/.exec(path)?.slice(1).find(Boolean) ?? 0) >= firstVmId;
}

const isAboutOneVm = ({ path }: Request): boolean => /\/qemu\/\d|\/tasks\//.test(path) || volume.test(path);

/**
 * Requests that the clones cost, by kind: all that name a clone, and those to the whole cluster that were made at least
 * once per clone. What is asked once for all of them, or for the template, is left out.
 */
export function cloneRequests(requests: readonly Request[], clones: number): Map<string, number> {
  const about = new Map<string, number>();
  const general = new Map<string, number>();
  for (const request of requests) {
    if (isAboutOneVm(request) && !isAboutClone(request)) continue;
    const counts = isAboutClone(request) ? about : general;
    const kind = kindOf(request);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return new Map([...about, ...[...general].filter(([, count]) => count >= clones)]);
}

export function requestsPerClone(requests: readonly Request[], clones: number): number {
  const counts = [...cloneRequests(requests, clones).values()];
  return counts.reduce((sum, count) => sum + count, 0) / clones;
}
