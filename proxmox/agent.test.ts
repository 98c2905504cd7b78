import { describe, expect, it } from "vitest";
import { agentTrouble, guestInterfaces, hasAgent } from "./agent.ts";
import type { PveClient } from "./client.ts";
import { ApiError, ConnectionError } from "./errors.ts";

const answering = (data: unknown) => ({ getOnce: async () => data }) as unknown as PveClient;
const refused = (status: number, text: string) => new ApiError("GET /nodes/pve1/qemu/101/agent/ping", status, text);

describe("the guest agent", () => {
  it("tells its interfaces", async () => {
    const eth0 = { name: "eth0", "ip-addresses": [] };
    expect(await guestInterfaces(answering({ result: [eth0] }), "pve1", 101)).toEqual([eth0]);
  });

  it("that tells nonsense has told no interfaces", async () => {
    for (const result of [null, {}, "eth0"])
      expect(await guestInterfaces(answering({ result }), "pve1", 101)).toEqual([]);
  });

  it("that refuses is an error, though PVE answers 200", async () => {
    const result = { error: { class: "CommandNotFound", desc: "The command guest-network-get-interfaces has no…" } };
    const error = await guestInterfaces(answering({ result }), "pve1", 101).catch((one: Error) => one);
    expect((error as Error).message).toBe(
      "the guest agent refused: CommandNotFound: The command guest-network-get-interfaces has no…",
    );
    expect(agentTrouble(error)).toBe("disabled");
  });
});

it.each([
  ["1", true],
  [1, true],
  ["enabled=1,fstrim_cloned_disks=1,type=virtio", true],
  ["1,freeze-fs-on-backup=0", true],
  ["0", false],
  ["enabled=0,fstrim_cloned_disks=1,type=virtio", false],
  ["0,fstrim_cloned_disks=1", false],
  [undefined, false],
])("a VM whose option `agent` is %j has one: %s", (agent, expected) => {
  expect(hasAgent({ agent })).toBe(expected);
});

describe("trouble with the agent", () => {
  it.each([
    [500, "QEMU guest agent is not running\n", "silent"],
    [500, "VM 101 qmp command 'guest-network-get-interfaces' failed - got timeout", "silent"],
    [500, "VM 101 qga command 'guest-ping' failed - got timeout\n", "silent"],
    [500, "No QEMU guest agent configured\n", "off"],
    [500, "VM 101 is not running\n", "stopped"],
    [500, "VM 101 qmp command 'guest-ping' failed - VM 101 not running", "stopped"],
    [500, "Configuration file 'nodes/pve1/qemu-server/101.conf' does not exist\n", "missing"],
    [403, "Permission check failed (/vms/101, VM.GuestAgent.Audit|VM.GuestAgent.Unrestricted)", "permission"],
    [500, "Agent error: The command guest-exec has been disabled for this instance", "disabled"],
    [500, 'Agent error: Failed to execute child process "cloud-init" (No such file or directory)', "no-command"],
  ])("%i %s is %s", (status, text, trouble) => {
    expect(agentTrouble(refused(status, text))).toBe(trouble);
  });

  it("is not what has nothing to do with it", () => {
    expect(agentTrouble(refused(595, "No route to host"))).toBeUndefined();
    expect(agentTrouble(new ConnectionError("dropped", "the connection to pve1:8006 broke off"))).toBeUndefined();
    expect(agentTrouble(new TypeError("guest agent is not running"))).toBeUndefined();
  });
});
