import { isNewInstance, newInstance } from "../../../fleet/cloudInit/guestChanges.ts";
import { answerOf } from "../../../proxmox/errors.ts";
import type { CurrentStatus } from "../../../proxmox/guests.ts";
import type { PendingOption } from "../../../proxmox/pendingOptions.ts";
import type { RunOptions } from "../../../proxmox/task.ts";
import { staticAddress, waiting } from "../booted.ts";
import { SHUTDOWN_SECONDS } from "../inputs.ts";
import type { CloneState } from "../state.ts";
import { vmOf, type Work } from "./work.ts";

type Vm = { node: string; vmId: number };

export interface PowerApi {
  readStatus(node: string, vmId: number): Promise<CurrentStatus>;
  pendingOptions(node: string, vmId: number): Promise<PendingOption[]>;
  /** Starts the VM and waits until it runs; gives the warnings of the start. */
  start(vm: Vm, options: RunOptions): Promise<string[]>;
  /** Has PVE start the VM and does not wait for it. */
  requestStart(vm: Vm): Promise<unknown>;
  /** Gives why the guest was not rebooted: it did not shut down in time. */
  reboot(vm: Vm, seconds: number): Promise<string | undefined>;
}

/** Notes a guest that has just been started, or is off: it has, or will have, what its config says, and told nothing yet. */
function notePower({ inputs, state }: Work, status: "running" | "stopped"): void {
  for (const key of ["booted", "pendingReboot", "addresses", "address", "error"] as const) delete state[key];
  state.status = status;
  const address = staticAddress(inputs.ipConfigs);
  if (address !== undefined) state.address = address;
}

async function start(api: PowerApi, work: Work): Promise<void> {
  const { inputs, messages } = work;
  const { name, waitFor } = inputs;
  const vm = vmOf(work);
  messages.report(`starting ${name}`);
  if (waitFor === "none") await api.requestStart(vm);
  else {
    const warnings = await api.start(vm, {
      onSilence: (error) => messages.report(`waiting for an answer of ${vm.node} (${answerOf(error)})`),
      onRetry: (error, number, attempts) =>
        messages.report(`start failed (${answerOf(error)}); try ${number + 1} of ${attempts}`),
    });
    for (const warning of warnings) messages.warn(`${name} started with a warning: ${warning}`);
  }
  work.started = true;
  notePower(work, "running");
}

/** Notes what the guest has of its network, which is not yet what its config says. */
function noteWaiting(state: CloneState, ipConfigs: readonly string[], found: ReturnType<typeof waiting>): void {
  delete state.booted;
  delete state.pendingReboot;
  if (found.options.length > 0) state.pendingReboot = found.options;
  if (found.booted) state.booted = found.booted;
  const address = staticAddress(found.booted?.ipConfigs ?? ipConfigs);
  if (address !== undefined && state.addresses === undefined) state.address = address;
}

async function leaveRunning(api: PowerApi, work: Work, before: CloneState): Promise<void> {
  const { inputs, state, messages } = work;
  const { vmId, name, rebootOnChange, shutdownSeconds, ipConfigs } = inputs;
  const vm = vmOf(work);
  if (state.status !== "ready") state.status = "running";
  const found = waiting(before, state.spec, await api.pendingOptions(vm.node, vmId));
  noteWaiting(state, ipConfigs, found);
  if (found.options.length === 0) return;
  if (rebootOnChange) {
    messages.report(`rebooting ${name}`);
    // Who lets guests be stopped at once when they are deleted does not mean those that stay.
    const reason = await api.reboot(vm, shutdownSeconds || SHUTDOWN_SECONDS);
    if (reason === undefined) {
      work.started = true;
      notePower(work, "running");
      return;
    }
    messages.warn(`${name} was not rebooted: ${reason}`);
  }
  const made = state.made ?? {};
  const asNew = isNewInstance(found.options, made) ? `, ${newInstance(made)}` : "";
  messages.warn(
    `${name} runs with its old ${found.options.join(", ")} until PVE starts it next${asNew}: set rebootOnChange: true, or run \`qm reboot ${vmId}\` on ${vm.node}, or use Reboot in the web interface (a reboot from inside the guest is not enough)`,
  );
}

/**
 * Starts a VM that is to run; of one that runs, says what it gets only at its next start, or reboots it for that. A VM that
 * runs although the config does not start it is left running.
 */
export async function power(api: PowerApi, work: Work, before: CloneState): Promise<void> {
  const { inputs, state, isNew } = work;
  const { node, vmId } = vmOf(work);
  const found = isNew ? undefined : await api.readStatus(node, vmId);
  if (found?.status === "running") await leaveRunning(api, work, before);
  else if (inputs.start) await start(api, work);
  else notePower(work, "stopped");
  state.spec = { ...state.spec, start: inputs.start };
}
