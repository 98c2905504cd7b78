import { setTimeout as pause } from "node:timers/promises";
import { type PveClient, path } from "../../proxmox/client.ts";
import { ProxmoxError } from "../../proxmox/errors.ts";
import { destroyGuest, locate } from "../../proxmox/guests.ts";
import { type ListedTask, listTasks, readLog, waitForTask } from "../../proxmox/task.ts";
import type { Report } from "../dynamic/progress.ts";
import type { CloneInputs } from "./inputs.ts";
import type { Found } from "./owner.ts";

type Target = Pick<CloneInputs, "vmId" | "places">;

/**
 * Whether a clone task makes this VM; undefined if its log does not say. PVE 9 begins the log with "creating a clone of VM
 * 9000 with ID 9101"; before that, the new disks tell.
 */
async function makes(client: PveClient, { upid }: ListedTask, vmId: number): Promise<boolean | undefined> {
  const log = (await readLog(client, upid)).join("\n");
  const told = /^creating a clone of VM \d+ with ID (\d+)/.exec(log)?.[1];
  if (told !== undefined) return Number(told) === vmId;
  const disks = [...log.matchAll(/\b(?:vm|subvol)-(\d+)-/g)].map(([, id]) => Number(id));
  return disks.length === 0 ? undefined : disks.includes(vmId);
}

/**
 * The clone tasks of this login that may have made, or be making, this VM. PVE names them by the template, and writes
 * nothing of ours into the new VM's config before the end: so the task list is all there is to go by.
 */
async function makersOf(
  client: PveClient,
  { vmId, places }: Target,
): Promise<{ running: ListedTask[]; died: boolean }> {
  const { login } = client.connection;
  const own = login.kind === "token" ? login.id : login.username;
  const sources = new Map(places.map(({ node, sourceNode = node, sourceVmId }) => [sourceVmId, sourceNode]));
  const tasks = (
    await Promise.all([...sources].map(([sourceVmId, node]) => listTasks(client, node, "qmclone", sourceVmId)))
  )
    .flat()
    .filter(({ user, tokenid }) => (tokenid === undefined ? user : `${user}!${tokenid}`) === own);
  const isRunning = (task: ListedTask) => task.endtime === undefined;
  const running = await Promise.all(
    tasks.filter(isRunning).map(async (task) => ({ task, makes: await makes(client, task, vmId) })),
  );
  const ended = tasks.filter((task) => !isRunning(task) && task.status !== "OK");
  const evidence = await Promise.all(ended.map((task) => makes(client, task, vmId)));
  return {
    running: running.filter((one) => one.makes !== false).map(({ task }) => task),
    died: evidence.includes(true),
  };
}

const mayUnlock = ({ connection: { login } }: PveClient): boolean =>
  login.kind === "password" && login.username === "root@pam";

/** Only root may take a lock away; the volumes that the dead task made are in no config. */
async function remove(client: PveClient, node: string, vmId: number): Promise<void> {
  await client.put(path`/nodes/${node}/qemu/${vmId}/config`, { delete: "lock", skiplock: true });
  await waitForTask(client, await destroyGuest(client, node, vmId, true));
}

/**
 * The VM that stands on a clone's VMID, once no clone task writes to it any more; undefined if there is none (any more):
 * what a dead task of ours has left is removed where the login may do that.
 *
 * @throws ProxmoxError if it may not, with the commands for root; or if nothing shows that the task was ours
 */
export async function atRest(
  client: PveClient,
  target: Target & { node: string },
  report: Report,
  pauseMs: number,
): Promise<Found | undefined> {
  const { vmId, node } = target;
  let makers: string[] | undefined;
  for (let look = 0; ; look++) {
    const before = await locate(client, node, vmId);
    if (before?.config.lock !== "clone") return before;
    const { running, died } = await makersOf(client, target);
    const upids = running.map(({ upid }) => upid);
    // Those that ran when it was seen first: a task that begins later makes another VM.
    makers = makers?.filter((upid) => upids.includes(upid)) ?? upids;
    // PVE writes the config before the task is in the list: one look may come between the two.
    if (makers.length === 0 && look > 0) {
      const found = await locate(client, node, vmId);
      if (found?.config.lock !== "clone") return found;
      if (!died) {
        throw new ProxmoxError(
          "half-made",
          `VM ${vmId} on node ${found.node} is locked by a clone (lock: clone) that does not run any more, and no task shows that it was this stack's; it is left alone. If nobody needs it, run on ${found.node}: qm unlock ${vmId} && qm destroy ${vmId} --purge --destroy-unreferenced-disks 1`,
        );
      }
      if (!mayUnlock(client)) {
        throw new ProxmoxError(
          "half-made",
          `VM ${vmId} is what a clone task of ours that died has left (lock: clone). Only root can remove it; on ${found.node} run: qm unlock ${vmId} && qm destroy ${vmId} --purge --destroy-unreferenced-disks 1`,
        );
      }
      report(`removing what a clone task that died has left of VM ${vmId}`);
      await remove(client, found.node, vmId);
      return undefined;
    }
    report(`VM ${vmId} is being cloned by an earlier task: waiting for it`);
    await pause(pauseMs);
  }
}
