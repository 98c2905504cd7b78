import {
  agentTrouble,
  exec,
  execStatus,
  type GuestInterface,
  guestInterfaces,
  hasAgent,
} from "../../../proxmox/agent.ts";
import type { PveClient } from "../../../proxmox/client.ts";
import { ApiError, answerOf, ConnectionError, ProxmoxError } from "../../../proxmox/errors.ts";
import { readConfig } from "../../../proxmox/guests.ts";
import type { Messages } from "../../dynamic/progress.ts";
import { type Addresses, addressesOf, isIpv4, outward } from "./addresses.ts";
import { COMMANDS, parseStatus } from "./cloudInitStatus.ts";
import { type Deadline, deadline } from "./deadline.ts";

/**
 * When a clone counts as ready: as it is; when PVE has started it; when its guest agent answers and tells an address; when
 * cloud-init has done all its work without errors.
 */
export type WaitFor = "none" | "started" | "agent" | "cloud-init";

export interface Readiness {
  ready: boolean;
  /** What the guest agent told, where it answered. */
  addresses?: Addresses;
  /** Why it is not ready, and what to do about it. */
  reason?: string;
  /** Its agent cannot be asked at all: the VM has none, it does not do that, or PVE does not let this login. */
  cannotTell?: true;
}

interface Guest {
  node: string;
  vmId: number;
  name: string;
}

/** There is no point in waiting on. */
class NotReady extends Error {
  readonly cannotTell: boolean;

  /** @param cannotTell the agent cannot be asked at all */
  constructor(reason: string, cannotTell = false) {
    super(reason);
    this.cannotTell = cannotTell;
  }
}

/** Troubles with the agent by which it cannot be asked, whatever the guest does. */
const CANNOT_TELL: readonly unknown[] = ["off", "permission", "disabled"];

/** A look at a guest: what was waited for, or what is missing still, with the likely cause if it never comes. */
type Look<T> = { found: T } | { missing: string; cause: string };

/** An IPv6 address of a router comes sooner than DHCP's IPv4; so long it does not count alone, in seconds. */
const IPV4_SECONDS = 5;

const NO_AGENT =
  "its guest agent did not answer; is qemu-guest-agent in the image or in cloudInit.packages of the template, and could the guest reach its package mirror to install it? (`cloud-init status --long` in its console says)";

const NO_DEVICE =
  "its VM has no guest agent (PVE: agent); set `agent: true` for the template, or `waitFor: started` for the clones";

const AGENT_LOST = "its guest agent has stopped answering; does the guest restart over and over? Its console shows";

/** Why an error is the end of waiting; undefined if it may pass. */
function finalReason(error: ProxmoxError, { node, vmId }: Guest): string | undefined {
  const answer = answerOf(error);
  switch (agentTrouble(error)) {
    case "off":
      return NO_DEVICE;
    case "stopped":
      return `VM ${vmId} was stopped while it was waited for; its console and the task list of ${node} may say why`;
    case "missing":
      return `VM ${vmId} is not on node ${node} any more: it was moved or deleted while it was waited for`;
    case "permission":
      return `PVE does not let this login ask its guest agent (${answer}): waiting for the agent takes the privilege VM.GuestAgent.Audit on /vms/${vmId}, for cloud-init VM.GuestAgent.Unrestricted; on PVE 8 both are VM.Monitor`;
    case "disabled":
      return `its guest agent does not do what it is asked (${answer}); where the distribution switches that off (RHEL and its kin: guest-exec), allow it in /etc/sysconfig/qemu-ga of the image, or set \`waitFor: agent\``;
    case "no-command":
      return "the guest has no cloud-init; set `waitFor: agent`";
    case "silent":
      return undefined;
  }
  const refused = error instanceof ApiError && (error.status === 501 || (error.status >= 400 && error.status < 500));
  const untrusted = error instanceof ConnectionError && (error.code === "tls" || error.code === "not-pve");
  return refused || untrusted ? `its guest agent could not be asked: ${error.message}` : undefined;
}

/** An error as a look that found nothing. */
function lookThatFailed(error: unknown, guest: Guest, silent: string): { missing: string; cause: string } {
  // Also a NotReady.
  if (!(error instanceof ProxmoxError)) throw error;
  const reason = finalReason(error, guest);
  if (reason) throw new NotReady(reason, CANNOT_TELL.includes(agentTrouble(error)));
  if (agentTrouble(error) === "silent") return { missing: "its guest agent", cause: silent };
  const answer = answerOf(error);
  return { missing: `PVE's answer (${answer})`, cause: `PVE could not be asked: ${answer}` };
}

/**
 * Looks until it is found.
 *
 * @param first what is waited for before anything is known
 * @param silent the likely cause if the agent never answers
 */
async function until<T>(
  look: () => Promise<Look<T>>,
  guest: Guest,
  { first, silent }: { first: string; silent: string },
  { report }: Pick<Messages, "report">,
  time: Deadline,
): Promise<T> {
  const say = (missing: string) =>
    report(`${guest.name}: waiting for ${missing}, ${time.elapsed()} s of ${time.seconds} s`);
  const pause = time.pauses();
  let cause = "PVE did not answer";
  for (say(first); !time.isOver(); await pause()) {
    const seen = await time.within(look().catch((error: unknown) => lookThatFailed(error, guest, silent)));
    if (!seen) break;
    if ("found" in seen) return seen.found;
    cause = seen.cause;
    say(seen.missing);
  }
  throw new NotReady(`after ${time.seconds} s ${cause}`);
}

const namesOf = (interfaces: readonly GuestInterface[]) => interfaces.map(({ name }) => name).join(", ");

/** Looks for the guest's addresses; a static one is known anyway, so that any interface will do. */
function addressLook(client: PveClient, { node, vmId }: Guest, isStatic: boolean, time: Deadline) {
  let only6Since: number | undefined;
  let mayHaveNone = true;
  /** Of a VM whose agent is switched off PVE says the same as of one whose agent is not there yet: its config tells. */
  const interfacesOf = async () => {
    try {
      return await guestInterfaces(client, node, vmId);
    } catch (error) {
      if (mayHaveNone && agentTrouble(error) === "silent") {
        mayHaveNone = false;
        const config = await readConfig(client, node, vmId).catch(() => undefined);
        if (config && !hasAgent(config)) throw new NotReady(NO_DEVICE, true);
      }
      throw error;
    }
  };
  return async (): Promise<Look<Addresses>> => {
    const interfaces = outward(await interfacesOf());
    const addresses = addressesOf(interfaces);
    if (isStatic && interfaces.length > 0) return { found: addresses };
    const all = Object.values(addresses).flat();
    if (all.some(isIpv4)) return { found: addresses };
    if (all.length > 0) {
      only6Since ??= time.elapsed();
      if (time.elapsed() - only6Since >= IPV4_SECONDS) return { found: addresses };
      return { missing: "an IPv4 address", cause: "the guest has only just got an address" };
    }
    if (interfaces.length === 0) {
      return {
        missing: "a network interface",
        cause: "the guest has no network interface; has the template a network?",
      };
    }
    return {
      missing: `an address of ${namesOf(interfaces)}`,
      cause: `the guest has no address on ${namesOf(interfaces)}; does a DHCP server answer on its bridge and VLAN?`,
    };
  };
}

/** Runs a command in the guest; undefined if it has not ended when the time is over. */
async function run(client: PveClient, { node, vmId }: Guest, command: readonly string[], time: Deadline) {
  const pid = await exec(client, node, vmId, command);
  for (const pause = time.pauses(); !time.isOver(); await pause()) {
    const status = await execStatus(client, node, vmId, pid);
    if (status.exited) return status;
  }
  return undefined;
}

/** Looks whether cloud-init has ended. */
function cloudInitLook(client: PveClient, guest: Guest, time: Deadline) {
  let command: readonly string[] = COMMANDS.json;
  return async (): Promise<Look<true>> => {
    const ended = await run(client, guest, command, time);
    const words = command.join(" ");
    if (!ended) return { missing: "cloud-init", cause: `\`${words}\` does not end in the guest` };
    const status = parseStatus(ended);
    switch (status?.state) {
      case "done":
        return { found: true };
      case "failed":
        throw new NotReady(
          `cloud-init ended with errors: ${status.detail}; /var/log/cloud-init.log in the guest has more`,
        );
      case "disabled":
        throw new NotReady(`cloud-init is disabled in the guest (${status.detail}); set \`waitFor: agent\``);
      case "running":
        return {
          missing: `cloud-init${status.detail && ` (${status.detail})`}`,
          cause: "cloud-init is still at work; /var/log/cloud-init-output.log in the guest shows with what",
        };
      case "unsupported":
        command = COMMANDS.text;
        break;
    }
    const told = ended["err-data"]?.trim() || "no answer";
    return { missing: "cloud-init", cause: `\`${words}\` ended with ${ended.exitcode ?? "a signal"}: ${told}` };
  };
}

/**
 * Waits until a guest that PVE has started is ready. What may pass (an agent that is not there yet, a network that breaks
 * off, a guest that restarts) is waited for; what will not pass ends it at once. It never takes longer than it may.
 *
 * @param options.timeoutSeconds for all of it
 * @param options.static the config says the guest's address: the agent need not tell one
 * @throws nothing that a cluster or a guest can cause: that is in the result
 */
export async function waitUntilReady(
  client: PveClient,
  guest: Guest,
  options: { waitFor: "agent" | "cloud-init"; timeoutSeconds: number; static: boolean },
  messages: Pick<Messages, "report">,
): Promise<Readiness> {
  const { pauseMs } = client;
  const time = deadline(options.timeoutSeconds, pauseMs / 2, pauseMs * 10);
  let addresses: Addresses | undefined;
  try {
    const agent = { first: "its guest agent", silent: NO_AGENT };
    addresses = await until(addressLook(client, guest, options.static, time), guest, agent, messages, time);
    if (options.waitFor === "cloud-init") {
      const cloudInit = { first: "cloud-init", silent: AGENT_LOST };
      await until(cloudInitLook(client, guest, time), guest, cloudInit, messages, time);
    }
    return { ready: true, addresses };
  } catch (error) {
    if (!(error instanceof NotReady)) throw error;
    const { cannotTell, message: reason } = error;
    return { ready: false, ...(addresses && { addresses }), reason, ...(cannotTell && { cannotTell }) };
  }
}
