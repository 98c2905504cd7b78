import { readFileSync } from "node:fs";
import { keysInput, type LoginKeys } from "../../../fleet/loginKeys.ts";
import { agentTrouble, type ExecStatus, exec, execStatus } from "../../../proxmox/agent.ts";
import type { PveClient } from "../../../proxmox/client.ts";
import { answerOf, ProxmoxError } from "../../../proxmox/errors.ts";
import { isTransient } from "../../../proxmox/retry.ts";
import type { Messages } from "../../dynamic/progress.ts";
import { type Deadline, deadline } from "../readiness/deadline.ts";

const SCRIPT = readFileSync(new URL("setKeys.sh", import.meta.url), "utf8");

/** How the script ends while cloud-init is at work. */
const NOT_YET = 75;

interface Guest {
  node: string;
  vmId: number;
  name: string;
}

/** What came of one try: why it was in vain, and whether another one may do better. */
type Outcome = { reason?: string; again?: boolean };

/** Runs the script in the guest; undefined if it has not ended when the time is over. */
async function run(
  client: PveClient,
  { node, vmId }: Guest,
  { user, keys }: LoginKeys,
  time: Deadline,
  onBegin: () => void,
) {
  const pid = await exec(client, node, vmId, ["/bin/sh", "-c", SCRIPT, "sh", user], keysInput(keys));
  onBegin();
  for (const pause = time.pauses(); !time.isOver(); await pause()) {
    const status = await execStatus(client, node, vmId, pid);
    if (status.exited) return status;
  }
  return undefined;
}

/** An exit code alone proves nothing: the script says how many keys there are. */
function outcomeOf({ exitcode, "out-data": out = "", "err-data": err = "" }: ExecStatus, { keys }: LoginKeys): Outcome {
  if (exitcode === 0 && out.trim() === `given ${keys.length}`) return {};
  // What a shell says of itself comes before.
  const said = err.trim().split("\n").at(-1) ?? "";
  if (exitcode === NOT_YET) return { reason: said, again: true };
  return {
    reason: `the command in the guest ended with ${exitcode ?? "a signal"}: ${said || out.trim() || "no answer"}`,
  };
}

/** What an error of PVE or of the agent means. */
function troubleOf(error: unknown, { vmId }: Guest): Outcome {
  if (!(error instanceof ProxmoxError)) throw error;
  const answer = answerOf(error);
  switch (agentTrouble(error)) {
    case "silent":
      return { reason: "its guest agent does not answer", again: true };
    case "off":
      return { reason: "its VM has no guest agent (PVE: agent)" };
    case "stopped":
      return { reason: "it does not run" };
    case "permission":
      return {
        reason: `PVE does not let this login run a command in it (${answer}): that takes VM.GuestAgent.Unrestricted on /vms/${vmId}, on PVE 8 VM.Monitor`,
      };
    case "disabled":
      return {
        reason: `its guest agent runs no commands (${answer}); where the distribution switches that off (RHEL and its kin: guest-exec), allow it in /etc/sysconfig/qemu-ga`,
      };
    case "no-command":
      return { reason: "it has no /bin/sh" };
  }
  return { reason: `PVE answered: ${answer}`, again: isTransient(error) };
}

/**
 * Makes the keys of a user in a running guest exactly these. An agent or a cloud-init that is not there yet is waited for.
 *
 * @param seconds for all of it
 * @returns undefined when the guest has said that it has them; else why that is not known
 */
export async function giveKeys(
  client: PveClient,
  guest: Guest,
  login: LoginKeys,
  seconds: number,
  { report }: Pick<Messages, "report">,
): Promise<string | undefined> {
  const time = deadline(seconds, client.pauseMs / 2, client.pauseMs * 10);
  report(`${guest.name}: giving user ${login.user} the SSH keys of the config`);
  let why = "PVE did not answer";
  const onBegin = () => {
    why = "the command in the guest does not end";
  };
  for (const pause = time.pauses(); !time.isOver(); await pause()) {
    const attempt = run(client, guest, login, time, onBegin).then(
      (ended) => ended && outcomeOf(ended, login),
      (error: unknown) => troubleOf(error, guest),
    );
    const outcome = await time.within(attempt);
    if (!outcome) break;
    const { reason, again } = outcome;
    if (reason === undefined) return undefined;
    if (!again) return reason;
    why = reason;
    report(`${guest.name}: ${reason}, ${time.elapsed()} s of ${time.seconds} s`);
  }
  return `after ${seconds} s, ${why}`;
}
