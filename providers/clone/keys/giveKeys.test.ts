import { describe, expect, it } from "vitest";
import { ApiError, ConnectionError, ProxmoxError } from "../../../proxmox/errors.ts";
import { fakeClient, inTurn } from "../../../proxmox/fakeClient.ts";
import { giveKeys } from "./giveKeys.ts";

const guest = { node: "pve1", vmId: 9101, name: "web-1" };
const login = { user: "ops", keys: ["ssh-ed25519 AAAA a", "ssh-ed25519 AAAB b"] };
const DONE = { exited: 1, exitcode: 0, "out-data": "given 2\n" };
const refused = (text: string, status = 500) => new ApiError("POST …/agent/exec", status, text);

/** Gives keys to a guest whose agent answers so; each answer may be a function that gives several in turn. */
async function given(exec: () => unknown, status: () => unknown, seconds = 5) {
  const { client, asked } = fakeClient((call) => (call.startsWith("POST") ? exec() : status()));
  const said: string[] = [];
  const reason = await giveKeys(client, guest, login, seconds, { report: (text) => said.push(text) });
  return { reason, asked, said };
}
const runs = () => ({ pid: 7 });

describe("keys are given", () => {
  it("by one command, to which they come as input", async () => {
    const { reason, asked, said } = await given(runs, inTurn<unknown>({ exited: 0 }, DONE));
    expect(reason).toBeUndefined();
    expect(asked).toHaveLength(3);
    const [first = ""] = asked;
    const path = first.slice(0, first.indexOf(" {"));
    const { command, "input-data": input } = JSON.parse(first.slice(path.length)) as {
      command: string[];
      "input-data": string;
    };
    expect(path).toBe("POST /nodes/pve1/qemu/9101/agent/exec");
    expect([command.slice(0, 2), command.slice(3)]).toEqual([
      ["/bin/sh", "-c"],
      ["sh", "ops"],
    ]);
    expect(command.join(" ")).not.toContain("AAAA");
    expect(input).toBe("ssh-ed25519 AAAA a\nssh-ed25519 AAAB b\nend\n");
    expect(said).toEqual(["web-1: giving user ops the SSH keys of the config"]);
  });

  it("again if the agent, cloud-init or an answer was not there yet", async () => {
    const silent = refused("QEMU guest agent is not running");
    const cut = new ConnectionError("dropped", "the connection was cut");
    const busy = { exited: 1, exitcode: 75, "err-data": "cloud-init is still at work\n" };
    const exec = inTurn<unknown>(silent, cut, refused("Broken pipe", 596), { pid: 7 });
    const { reason, said } = await given(exec, inTurn<unknown>(busy, cut, DONE), 30);
    expect(reason).toBeUndefined();
    expect(said.slice(1).map((text) => text.replace(/, \d+ s of .*/, ""))).toEqual([
      "web-1: its guest agent does not answer",
      "web-1: PVE answered: the connection was cut",
      "web-1: PVE answered: Broken pipe",
      "web-1: cloud-init is still at work",
      "web-1: PVE answered: the connection was cut",
    ]);
  });
});

describe("it is said why they may not be there", () => {
  it.each([
    [refused("No QEMU guest agent configured"), "its VM has no guest agent (PVE: agent)"],
    [refused("VM 9101 is not running"), "it does not run"],
    [
      refused("Permission check failed (/vms/9101, VM.GuestAgent.Unrestricted)", 403),
      "PVE does not let this login run a command in it (Permission check failed (/vms/9101, VM.GuestAgent.Unrestricted)): that takes VM.GuestAgent.Unrestricted on /vms/9101, on PVE 8 VM.Monitor",
    ],
    [refused("Agent error: The command guest-exec has been disabled"), /allow it in \/etc\/sysconfig\/qemu-ga$/],
    [refused("Agent error: Failed to execute child process “/bin/sh”"), "it has no /bin/sh"],
    [refused("something new"), "PVE answered: something new"],
  ])("%s", async (error, reason) => {
    const { asked, ...told } = await given(() => error, runs);
    expect(told.reason).toEqual(typeof reason === "string" ? reason : expect.stringMatching(reason));
    expect(asked).toHaveLength(1);
  });

  it.each([
    [{ exited: 1, exitcode: 0 }, "the command in the guest ended with 0: no answer"],
    [{ ...DONE, "out-data": "given 3\n" }, "the command in the guest ended with 0: given 3"],
    [{ exited: 1, signal: 9 }, "the command in the guest ended with a signal: no answer"],
    [
      { exited: 1, exitcode: 1, "err-data": "sh: noise\nthere is no user ops\n" },
      "the command in the guest ended with 1: there is no user ops",
    ],
  ])("%j", async (status, reason) => {
    expect((await given(runs, () => status)).reason).toBe(reason);
  });

  it("when the time is over, with what was missing", async () => {
    const silent = await given(() => refused("QEMU guest agent is not running"), runs, 0.2);
    expect(silent.reason).toBe("after 0.2 s, its guest agent does not answer");
    const endless = await given(runs, () => ({ exited: 0 }), 0.2);
    expect(endless.reason).toBe("after 0.2 s, the command in the guest does not end");
    const mute = await given(() => new Promise(() => undefined), runs, 0.2);
    expect(mute.reason).toBe("after 0.2 s, PVE did not answer");
  });

  it("and an error of the program itself is none of the guest's", async () => {
    const bug = new TypeError("x is not a function");
    await expect(given(() => bug, runs)).rejects.toBe(bug);
    expect((await given(() => new ProxmoxError("agent", "the guest agent refused"), runs)).reason).toBe(
      "PVE answered: the guest agent refused",
    );
  });
});
