import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { removeVm } from "../../proxmox/removeVm.ts";
import { firstLines, type ListedTask, listTasks } from "../../proxmox/taskList.ts";
import { type FoundVm, type Look, lookUp, nameOf } from "../guest/lookUp.ts";
import type { CloneInputs } from "./inputs.ts";
import { unreachable } from "./steps/find.ts";

/** What a worker ends with that was killed: it could not clean up. Any other error is told by PVE after it has. */
const KILLED = "unexpected status";

/** Lines of a task's log that say which VM it makes. */
const FIRST_LINES = 20;

/** A clone, as far as its tasks can be known by it. */
export interface Target {
  vmId: number;
  fleetId: string;
  /** Nodes and VMIDs of the templates that it may be cloned from. */
  sources: readonly { node: string; vmId: number }[];
}

export const targetOf = ({ vmId, fleetId, places }: Pick<CloneInputs, "vmId" | "fleetId" | "places">): Target => ({
  vmId,
  fleetId,
  sources: places.map(({ node, sourceNode = node, sourceVmId }) => ({ node: sourceNode, vmId: sourceVmId })),
});

/**
 * Whether a clone task makes this VM; undefined if its log does not say (yet). PVE 9 begins the log with "creating a clone of
 * VM 9000 with ID 9101"; before that, the new disks tell.
 */
async function makes(client: PveClient, { upid }: ListedTask, vmId: number): Promise<boolean | undefined> {
  const log = (await firstLines(client, upid, FIRST_LINES)).join("\n");
  const told = /^creating a clone of VM \d+ with ID (\d+)/m.exec(log)?.[1];
  if (told !== undefined) return Number(told) === vmId;
  const disks = [...log.matchAll(/\b(?:vm|subvol)-(\d+)-/g)].map(([, id]) => Number(id));
  return disks.length === 0 ? undefined : disks.includes(vmId);
}

/** Whether this login began a task. */
function isOwn({ connection: { login } }: PveClient, { user, tokenid }: ListedTask): boolean {
  const own = login.kind === "token" ? login.id : login.username;
  return (tokenid === undefined ? user : `${user}!${tokenid}`) === own;
}

const isRunning = ({ endtime }: ListedTask): boolean => endtime === undefined;

/** The clone tasks of the target's templates: the login's own, and all with Sys.Audit. The newest first. */
async function cloneTasks(client: PveClient, { sources }: Target): Promise<ListedTask[]> {
  const distinct = new Map(sources.map((source) => [`${source.node} ${source.vmId}`, source]));
  const lists = await Promise.all(
    [...distinct.values()].map(({ node, vmId }) => listTasks(client, node, { typefilter: "qmclone", vmid: vmId })),
  );
  return lists.flat().sort((a, b) => b.starttime - a.starttime);
}

/** Running clone tasks, of whomever, that make the VM, or do not say yet what they make. */
async function running(client: PveClient, target: Target, tasks: readonly ListedTask[]): Promise<string[]> {
  const all = await Promise.all(
    tasks
      .filter(isRunning)
      .map(async (task) => ((await makes(client, task, target.vmId)) === false ? [] : [task.upid])),
  );
  return all.flat();
}

/**
 * The task of ours that was killed while it made the VM, if that is what left it: it began after the VMID was last seen
 * free, so that nothing was done on the VMID since.
 *
 * @param begun the tasks that this run has begun; empty: those of earlier runs count
 */
async function killedTask(
  client: PveClient,
  target: Target,
  node: string,
  tasks: readonly ListedTask[],
  begun: ReadonlySet<string>,
): Promise<ListedTask | undefined> {
  const killed = tasks.filter((task) => !isRunning(task) && task.status === KILLED && isOwn(client, task));
  const candidates = begun.size > 0 ? killed.filter(({ upid }) => begun.has(upid)) : killed;
  for (const task of candidates) {
    if ((await makes(client, task, target.vmId)) !== true) continue;
    // Another clone to this VMID that began later, or any task on it, shows that it was free in between.
    const since = await listTasks(client, node, { vmid: target.vmId, since: task.starttime + 1 });
    const later = tasks.filter(({ upid, starttime }) => upid !== task.upid && starttime > task.starttime);
    const others = await Promise.all(later.map((one) => makes(client, one, target.vmId)));
    return since.length > 0 || others.some((one) => one !== false) ? undefined : task;
  }
  return undefined;
}

const mayUnlock = ({ connection: { login } }: PveClient): boolean =>
  login.kind === "password" && login.username === "root@pam";

const isHalfMade = (found: Look): found is FoundVm => found.kind === "vm" && found.busy === "clone";

/** Only root may take a lock away; the volumes that the dead task made are in no config. */
async function remove(client: PveClient, node: string, vmId: number): Promise<void> {
  await client.put(path`/nodes/${node}/qemu/${vmId}/config`, { delete: "lock", skiplock: true });
  await removeVm(client, { node, vmId }, { unreferencedDisks: true });
}

function refuse({ vmId }: Target, node: string, isOurs: boolean): ProxmoxError {
  const text = isOurs
    ? `VM ${vmId} is what a clone task of ours that was killed has left (lock: clone). Only root can remove it; on ${node} run: qm unlock ${vmId} && qm destroy ${vmId} --purge --destroy-unreferenced-disks 1`
    : `VM ${vmId} on node ${node} is locked by a clone (lock: clone) of which nothing shows that it was this stack's; it is left alone. Look in the task list of the template's node who cloned to ${vmId}, or choose another vmId`;
  return new ProxmoxError("half-made", text);
}

/** A VM or nothing, once what stands on the VMID can be told. */
function vmOrNothing(found: Look, { vmId }: Target): FoundVm | undefined {
  if (found.kind === "absent") return undefined;
  if (found.kind === "unreachable") throw unreachable(found.node, vmId);
  if (found.kind === "container")
    throw new ProxmoxError("not-ours", `VMID ${vmId} is taken by ${nameOf(found)}; choose another vmId`);
  return found;
}

/**
 * The VM that stands on a clone's VMID, once no clone task writes to it any more; undefined if there is none (any more):
 * what a killed task of ours has left is removed where the login may do that.
 *
 * @param node where the VM is likely to be
 * @param begun the clone tasks that this run has begun for it
 * @throws ProxmoxError if it may not, with the commands for root; or if nothing shows that the task was ours
 */
export async function atRest(
  client: PveClient,
  target: Target,
  node: string,
  report: (text: string) => void,
  begun: ReadonlySet<string> = new Set(),
): Promise<FoundVm | undefined> {
  const { vmId, fleetId } = target;
  const look = () => lookUp(client, { vmId, fleetId, node });
  for (let looks = 0; ; looks++) {
    const found = await look();
    if (!isHalfMade(found)) return vmOrNothing(found, target);
    const tasks = await cloneTasks(client, target);
    // PVE writes the config before the task is in the list: one look may come between the two.
    if (looks === 0 || (await running(client, target, tasks)).length > 0) {
      report(`VM ${vmId} is being cloned by an earlier task: waiting for it`);
      await pause(client.pauseMs);
      continue;
    }
    const killed = await killedTask(client, target, found.node, tasks, begun);
    // Asking for the tasks took its time: right before anything is removed, the VM and its tasks are looked at again.
    const again = await look();
    if (!isHalfMade(again)) return vmOrNothing(again, target);
    if (!killed || !mayUnlock(client)) throw refuse(target, again.node, killed !== undefined);
    if ((await running(client, target, await cloneTasks(client, target))).length > 0) continue;
    report(`removing what a killed clone task has left of VM ${vmId}`);
    await remove(client, again.node, vmId);
    return undefined;
  }
}
