import { setTimeout as pause } from "node:timers/promises";
import { type Params, type PveClient, path } from "./client.ts";
import { answerOf, ProxmoxError, TaskError } from "./errors.ts";
import { isMissing, type PowerStatus, readStatus } from "./guests.ts";
import { isTransient, withRetry } from "./retry.ts";
import { type RunOptions, runTask, typeOf } from "./task.ts";

/** A VM and the node that it is on. */
export interface VmAt {
  node: string;
  vmId: number;
}

/** How long the HA manager may take to do what it was asked, in seconds. */
const HA_SECONDS = 180;

function send(client: PveClient, { node, vmId }: VmAt, action: string, options: Params = {}): Promise<string> {
  return client.post(path`/nodes/${node}/qemu/${vmId}/status/${action}`, options);
}

const isRunning = async (client: PveClient, { node, vmId }: VmAt): Promise<boolean> =>
  (await readStatus(client, node, vmId)).status === "running";

/** Waits until the VM is on or off; false: it is not when the time is over. */
async function waitForStatus(client: PveClient, vm: VmAt, status: PowerStatus, seconds: number): Promise<boolean> {
  const end = Date.now() + seconds * 1000;
  for (let ms = client.pauseMs / 4; ; ms = Math.min(ms * 1.5, 5000)) {
    if ((await readStatus(client, vm.node, vm.vmId)).status === status) return true;
    if (Date.now() >= end) return false;
    await pause(ms);
  }
}

/** Of a VM that HA manages, the task only tells the HA manager (`hastart`, `hastop`, …): the VM itself is waited for. */
async function haveDone(
  client: PveClient,
  vm: VmAt,
  upid: string,
  status: PowerStatus,
  seconds: number,
): Promise<void> {
  if (!typeOf(upid).startsWith("ha") || (await waitForStatus(client, vm, status, seconds))) return;
  throw new ProxmoxError(
    "ha",
    `the HA manager was asked, but VM ${vm.vmId} was not ${status} within ${seconds} s; see \`ha-manager status\` on a node`,
  );
}

/** Has PVE start a VM, and does not wait for it. */
export async function requestStart(client: PveClient, vm: VmAt): Promise<void> {
  await withRetry(() => send(client, vm, "start"), { when: isTransient, pauseMs: client.pauseMs });
}

/** Starts a VM; one that runs already is fine. Gives the warnings of the start. */
export async function startVm(client: PveClient, vm: VmAt, options: RunOptions = {}): Promise<string[]> {
  let upid = "";
  try {
    const warnings = await runTask(
      client,
      { ...vm, send: async () => (upid = await send(client, vm, "start")), isDone: () => isRunning(client, vm) },
      options,
    );
    await haveDone(client, vm, upid, "running", HA_SECONDS);
    return warnings;
  } catch (error) {
    if (/already running/i.test(answerOf(error))) return [];
    throw error;
  }
}

/**
 * Shuts a running VM down, and has PVE stop it when it does not react in time. One that is not on the node (any more) is
 * fine.
 *
 * @param seconds how long the guest may take; 0: it is stopped at once
 */
export async function shutDownVm(
  client: PveClient,
  vm: VmAt,
  seconds: number,
  { onBegin = () => undefined, ...options }: RunOptions & { onBegin?: () => void } = {},
): Promise<void> {
  const isOff = async () => !(await isRunning(client, vm));
  const [action, params] =
    seconds > 0 ? (["shutdown", { timeout: seconds, forceStop: true }] as const) : (["stop", {}] as const);
  let upid = "";
  try {
    if (await isOff()) return;
    onBegin();
    await runTask(
      client,
      { ...vm, send: async () => (upid = await send(client, vm, action, params)), isDone: isOff },
      options,
    );
    await haveDone(client, vm, upid, "stopped", seconds + HA_SECONDS);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/**
 * Has PVE shut the guest down and start it with its new options.
 *
 * PVE's task ends when the guest is off; a service that sees this starts it a moment later.
 *
 * @param seconds how long the guest may take to shut down, and PVE to start it again
 * @returns why the guest was not rebooted: it did not shut down in time
 */
export async function rebootVm(client: PveClient, vm: VmAt, seconds: number): Promise<string | undefined> {
  let wasUp = Number.POSITIVE_INFINITY;
  const uptime = async () => (await readStatus(client, vm.node, vm.vmId)).uptime ?? 0;
  try {
    wasUp = await uptime();
    await runTask(client, {
      ...vm,
      send: () => send(client, vm, "reboot", { timeout: seconds }),
      isDone: async () => (await uptime()) < wasUp,
    });
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    return answerOf(error);
  }
  if (await waitForStatus(client, vm, "running", seconds)) return undefined;
  throw new ProxmoxError("reboot", `PVE did not start VM ${vm.vmId} again within ${seconds} s`);
}
