import { type PveClient, path } from "./client.ts";
import { ApiError, answerOf, ProxmoxError } from "./errors.ts";
import { type GuestConfig, isMissing } from "./guests.ts";

/** A network interface as the guest has it (PVE: agent/network-get-interfaces). */
export interface GuestInterface {
  name: string;
  "hardware-address"?: string;
  "ip-addresses"?: { "ip-address": string; "ip-address-type": "ipv4" | "ipv6"; prefix: number }[];
}

/** How a command in the guest is doing; output and exit code are there when it has exited. */
export interface ExecStatus {
  exited: boolean | number;
  exitcode?: number;
  signal?: number;
  "out-data"?: string;
  "err-data"?: string;
}

/** What PVE answers if the agent itself refused: status 200 all the same. */
interface Refusal {
  error: { class?: string; desc?: string };
}

const isRefusal = (result: unknown): result is Refusal =>
  typeof result === "object" && result !== null && "error" in result;

function resultOf<T>({ result }: { result: T | Refusal }): T {
  if (isRefusal(result)) {
    const { class: kind = "", desc = "it gave no reason" } = result.error;
    throw new ProxmoxError("agent", `the guest agent refused: ${[kind, desc].filter(Boolean).join(": ")}`);
  }
  return result;
}

/** Whether a VM has the device that an agent needs (PVE: `agent`, for example `1` or `enabled=1,type=virtio`). */
export function hasAgent({ agent }: GuestConfig): boolean {
  const parts = String(agent ?? "0").split(",");
  return parts.some((part) => part === "1" || part === "enabled=1");
}

// Each is sent once: who waits for an agent asks again anyway, at a pace of its own.

/** The guest's network interfaces. Takes VM.GuestAgent.Audit (PVE 8: VM.Monitor). */
export async function guestInterfaces(client: PveClient, node: string, vmId: number): Promise<GuestInterface[]> {
  const told = resultOf(
    await client.getOnce<{ result: unknown }>(path`/nodes/${node}/qemu/${vmId}/agent/network-get-interfaces`),
  );
  // What a guest says is passed on by PVE as it is.
  return Array.isArray(told) ? (told as GuestInterface[]) : [];
}

/** The most characters that a command may get on its standard input. */
export const MOST_INPUT = 64 * 1024;

/**
 * Starts a command in the guest, as root and without a shell; gives its process id for `execStatus`. Both take
 * VM.GuestAgent.Unrestricted (PVE 8: VM.Monitor).
 *
 * @param input for its standard input (PVE: input-data), at most `MOST_INPUT` characters: ASCII alone, as PVE makes other
 *   ones one byte each or fails
 */
export async function exec(
  client: PveClient,
  node: string,
  vmId: number,
  command: readonly string[],
  input?: string,
): Promise<number> {
  const { pid } = await client.post<{ pid: number }>(path`/nodes/${node}/qemu/${vmId}/agent/exec`, {
    command,
    ...(input !== undefined && { "input-data": input }),
  });
  return pid;
}

export function execStatus(client: PveClient, node: string, vmId: number, pid: number): Promise<ExecStatus> {
  return client.getOnce(path`/nodes/${node}/qemu/${vmId}/agent/exec-status`, { pid });
}

/**
 * Why a call did not get through to the agent, or not what it asked for:
 *
 * - `silent`: nobody answers in the guest (yet);
 * - `off`: the VM has no agent (PVE: `agent`);
 * - `stopped`, `missing`: the VM does not run, or is not on this node;
 * - `permission`: the login may not;
 * - `disabled`: the guest's agent does not do this;
 * - `no-command`: the guest has no such program.
 */
export type AgentTrouble = "silent" | "off" | "stopped" | "missing" | "permission" | "disabled" | "no-command";

const WORDS: readonly [RegExp, AgentTrouble][] = [
  [/No QEMU guest agent configured/i, "off"],
  [/VM \d+ (is )?not running/i, "stopped"],
  [/has been disabled|has not been found|CommandNotFound|CommandDisabled/i, "disabled"],
  [/failed to execute child process/i, "no-command"],
  [/guest agent is not running|got timeout/i, "silent"],
];

/** The trouble that an error of the calls above means; undefined if it is not about the agent. */
export function agentTrouble(error: unknown): AgentTrouble | undefined {
  if (!(error instanceof ProxmoxError)) return undefined;
  if (error instanceof ApiError && error.status === 403) return "permission";
  if (isMissing(error)) return "missing";
  const answer = answerOf(error);
  return WORDS.find(([words]) => words.test(answer))?.[1];
}
