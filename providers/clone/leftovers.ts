import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { removeVm } from "../../proxmox/removeVm.ts";
import { firstLines, type ListedTask, listTasks } from "../../proxmox/taskList.ts";
import { type FoundContainer, type FoundVm, type Look, lookUp } from "../guest/lookUp.ts";
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

const isRunning = ({ endtime }: ListedTask): boolean => endtime === undefined;

/** A half-made VM, and how it can be known whose it is. */
interface HalfMade {
  client: PveClient;
  target: Target;
  /** Its node. PVE makes a clone on the template's node, by a task there, and moves it when it is done. */
  node: string;
  /** The clone tasks that this run has begun for it. */
  begun: ReadonlySet<string>;
}

/** The clone tasks of the VM's node, the newest first: the login's own, and all with Sys.Audit. */
async function cloneTasks({ client, node }: HalfMade): Promise<ListedTask[]> {
  const tasks = await listTasks(client, node, { typefilter: "qmclone" });
  return tasks.sort((a, b) => b.starttime - a.starttime);
}

/** Whether a task is this login's, and clones one of the target's templates. */
function isOwn({ client, target, node }: HalfMade, { user, tokenid, id }: ListedTask): boolean {
  const { login } = client.connection;
  const own = login.kind === "token" ? login.id : login.username;
  const isSource = target.sources.some((source) => source.node === node && String(source.vmId) === id);
  return isSource && (tokenid === undefined ? user : `${user}!${tokenid}`) === own;
}

/** Whether a task of ours makes the VM now, or does not say yet what it makes. */
async function isBeingMade(vm: HalfMade): Promise<boolean> {
  const running = (await cloneTasks(vm)).filter((task) => isRunning(task) && isOwn(vm, task));
  const all = await Promise.all(running.map((task) => makes(vm.client, task, vm.target.vmId)));
  return all.some((one) => one !== false);
}

/**
 * The task of ours that was killed while it made the VM, if that is what has left it. It is the last clone task, of
 * whomever, to the VMID, and nothing was done on the VMID since: any other would show that the VMID was free in between.
 */
async function killedTask(vm: HalfMade): Promise<ListedTask | undefined> {
  const { client, target, node, begun } = vm;
  const tasks = await cloneTasks(vm);
  const isKilled = (task: ListedTask) => task.status === KILLED && isOwn(vm, task);
  // Logs are read no further back than to the last task that it can be.
  for (const task of tasks.slice(0, tasks.findLastIndex(isKilled) + 1)) {
    const found = begun.has(task.upid) || (await makes(client, task, target.vmId));
    // One that has ended in order and does not say what it was to make has left nothing.
    if (found === false || (found === undefined && !isRunning(task) && task.status !== KILLED)) continue;
    if (found !== true || !isKilled(task)) return undefined;
    const since = await listTasks(client, node, { vmid: target.vmId, since: task.starttime });
    return since.length > 0 ? undefined : task;
  }
  return undefined;
}

const mayUnlock = ({ connection: { login } }: PveClient): boolean =>
  login.kind === "password" && login.username === "root@pam";

const isHalfMade = (found: Look): found is FoundVm => found.kind === "vm" && found.busy === "clone";

/** Only root may take a lock away; the volumes that the dead task made are in no config. */
async function remove(client: PveClient, vmId: number, { node, config: { digest } }: FoundVm): Promise<void> {
  // With the digest, PVE refuses if the VM is not the one any more that was looked at.
  await client.put(path`/nodes/${node}/qemu/${vmId}/config`, { delete: "lock", skiplock: true, digest });
  await removeVm(client, { node, vmId }, { unreferencedDisks: true });
}

function refuse({ vmId }: Target, node: string, isOurs: boolean): ProxmoxError {
  const text = isOurs
    ? `VM ${vmId} is what a clone task of ours that was killed has left (lock: clone). Only root can remove it; on ${node} run: qm unlock ${vmId} && qm destroy ${vmId} --purge --destroy-unreferenced-disks 1`
    : `VM ${vmId} on node ${node} is half made by a clone task (lock: clone) of which nothing shows that it was this stack's; it is left alone. Look in the task list of ${node} who cloned to ${vmId}, or choose another vmId`;
  return new ProxmoxError("half-made", text);
}

/** What stands on the VMID. */
function standing(found: Look, { vmId }: Target): FoundVm | FoundContainer | undefined {
  if (found.kind === "absent") return undefined;
  if (found.kind === "unreachable") throw unreachable(found.node, vmId);
  return found;
}

/**
 * What stands on a clone's VMID, once no clone task of ours writes to it any more; undefined if nothing does (any more): what
 * a killed task of ours has left is removed where the login may do that.
 *
 * @param node where the VM is likely to be
 * @param begun the clone tasks that this run has begun for it
 * @throws ProxmoxError if it may not, with the commands for root; or if nothing shows that a half-made VM is ours
 */
export async function atRest(
  client: PveClient,
  target: Target,
  node: string,
  report: (text: string) => void,
  begun: ReadonlySet<string> = new Set(),
): Promise<FoundVm | FoundContainer | undefined> {
  const { vmId, fleetId } = target;
  const look = () => lookUp(client, { vmId, fleetId, node });
  for (let looks = 0; ; looks++) {
    const found = await look();
    if (!isHalfMade(found)) return standing(found, target);
    const vm = { client, target, node: found.node, begun };
    // PVE writes the config before the task is in the list: one look may come between the two.
    if (looks === 0 || (await isBeingMade(vm))) {
      report(`VM ${vmId} is being cloned by an earlier task: waiting for it`);
      await pause(client.pauseMs);
      continue;
    }
    const killed = await killedTask(vm);
    // Asking for the tasks took its time: right before anything is removed, the VM and its tasks are looked at again.
    const again = await look();
    if (!isHalfMade(again)) return standing(again, target);
    if (!killed || !mayUnlock(client)) throw refuse(target, again.node, killed !== undefined);
    if (again.node !== found.node || (await killedTask(vm))?.upid !== killed.upid) continue;
    report(`removing what a killed clone task has left of VM ${vmId}`);
    await remove(client, vmId, again);
    return undefined;
  }
}
