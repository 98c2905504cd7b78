import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Params, PveClient } from "../../../proxmox/client.ts";
import { ApiError, ConnectionError } from "../../../proxmox/errors.ts";
import { waitUntilReady } from "./ready.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

type Answer = object | Error | "hangs";

/** A guest: what PVE answers one after the other, the last again and again. */
function pve(answers: { interfaces: Answer[]; status?: Answer[]; exec?: Answer[]; agent?: string }) {
  const asked: { call: string; at: number; params: Params }[] = [];
  const turns = new Map<string, number>();
  const answer = (key: "interfaces" | "status" | "exec") => async (params: Params) => {
    const turn = turns.get(key) ?? 0;
    turns.set(key, turn + 1);
    asked.push({ call: key, at: Date.now(), params });
    const list = answers[key] ?? [];
    const one = list[Math.min(turn, list.length - 1)];
    if (one === "hangs") return new Promise(() => {});
    if (one instanceof Error) throw one;
    return one;
  };
  const calls: Record<string, (params: Params) => Promise<unknown>> = {
    "/nodes/pve1/qemu/101/agent/network-get-interfaces": answer("interfaces"),
    "/nodes/pve1/qemu/101/config": async () => ({ agent: answers.agent ?? "1" }),
    "/nodes/pve1/qemu/101/agent/exec": answers.exec ? answer("exec") : async () => ({ pid: 7 }),
    "/nodes/pve1/qemu/101/agent/exec-status": answer("status"),
  };
  const send = (path: string, params: Params = {}) =>
    calls[path]?.(params) ?? Promise.reject(new Error(`nobody knows ${path}`));
  return { client: { pauseMs: 500, get: send, getOnce: send, post: send } as unknown as PveClient, asked };
}

const failed = (text: string, status = 500) => new ApiError("GET", status, text);
const silent = failed("QEMU guest agent is not running");
const nics = (...addresses: string[]) => ({
  result: [
    { name: "lo", "ip-addresses": [{ "ip-address": "127.0.0.1" }] },
    { name: "eth0", "ip-addresses": addresses.map((address) => ({ "ip-address": address })) },
  ],
});
const cloudInit = (report: object) => ({ exited: 1, exitcode: 0, "out-data": JSON.stringify(report) });
const done = cloudInit({ status: "done" });

const said: string[] = [];
async function wait(
  client: PveClient,
  { waitFor = "agent" as "agent" | "cloud-init", timeoutSeconds = 300, static: isStatic = false } = {},
) {
  said.length = 0;
  const guest = { node: "pve1", vmId: 101, name: "web-1" };
  const options = { waitFor, timeoutSeconds, static: isStatic };
  const from = Date.now();
  const waiting = waitUntilReady(client, guest, options, { report: (text) => said.push(text) });
  const ended = waiting.then((result) => ({ ...result, seconds: (Date.now() - from) / 1000 }));
  await vi.runAllTimersAsync();
  return ended;
}

describe("a clone is ready for the agent", () => {
  it("at once when its agent tells an address", async () => {
    const { client, asked } = pve({ interfaces: [nics("10.0.0.21", "fe80::1")] });
    expect(await wait(client)).toEqual({ ready: true, addresses: { eth0: ["10.0.0.21"] }, seconds: 0 });
    expect(asked).toHaveLength(1);
  });

  it("with dhcp, when a server has answered", async () => {
    const { client } = pve({ interfaces: [silent, nics(), nics("169.254.3.4"), nics("10.0.0.77")] });
    expect(await wait(client)).toMatchObject({ ready: true, addresses: { eth0: ["10.0.0.77"] } });
    expect(said[0]).toBe("web-1: waiting for its guest agent, 0 s of 300 s");
    expect(said.at(-1)).toBe("web-1: waiting for an address of eth0, 0 s of 300 s");
  });

  it("with a static address, when the agent answers", async () => {
    const { client } = pve({ interfaces: [silent, nics()] });
    expect(await wait(client, { static: true })).toMatchObject({ ready: true, addresses: {} });
  });

  it("with IPv6 alone, once DHCP has had its time", async () => {
    const both = pve({ interfaces: [nics("2001:db8::7"), nics("2001:db8::7", "10.0.0.7")] });
    expect((await wait(both.client)).addresses).toEqual({ eth0: ["2001:db8::7", "10.0.0.7"] });
    const { ready, addresses, seconds } = await wait(pve({ interfaces: [nics("2001:db8::7")] }).client);
    expect({ ready, addresses }).toEqual({ ready: true, addresses: { eth0: ["2001:db8::7"] } });
    expect(seconds).toBeLessThan(15);
  });

  it("whatever the network does meanwhile", async () => {
    const broken = new ConnectionError("dropped", "the connection broke off");
    const { client } = pve({ interfaces: [broken, failed("No route to host", 595), broken, nics("10.0.0.21")] });
    expect((await wait(client)).ready).toBe(true);
    expect(said).toContain("web-1: waiting for PVE's answer (No route to host), 0 s of 300 s");
  });
});

describe("a guest whose agent never answers", () => {
  it("is waited for until the time is over, ever more slowly, and the likely cause is told", async () => {
    const { client, asked } = pve({ interfaces: [silent] });
    const { ready, reason, seconds } = await wait(client);
    expect({ ready, seconds }).toEqual({ ready: false, seconds: 300 });
    expect(reason).toMatch(/^after 300 s its guest agent did not answer; is qemu-guest-agent in the image or in/);
    const pauses = asked.map(({ at }, index) => at - (asked[index - 1]?.at ?? at)).slice(1);
    expect(pauses[0]).toBe(250);
    expect(pauses).toEqual(pauses.toSorted((one, other) => one - other));
    expect(Math.max(...pauses)).toBe(5000);
    expect(said).toContainEqual(expect.stringMatching(/^web-1: waiting for its guest agent, 29\d s of 300 s$/));
  });

  it("does not outlast its time though PVE hangs", async () => {
    expect(await wait(pve({ interfaces: ["hangs"] }).client, { timeoutSeconds: 30 })).toEqual({
      ready: false,
      reason: "after 30 s PVE did not answer",
      seconds: 30,
    });
    expect((await wait(pve({ interfaces: [silent, "hangs"] }).client, { timeoutSeconds: 30 })).reason).toMatch(
      /^after 30 s its guest agent did not answer/,
    );
  });

  it("says when it was the network that did not let it ask", async () => {
    const { reason } = await wait(pve({ interfaces: [failed("No route to host", 595)] }).client);
    expect(reason).toBe("after 300 s PVE could not be asked: No route to host");
  });

  it("asks after DHCP where it answers without an address", async () => {
    const { ready, reason } = await wait(pve({ interfaces: [nics("fe80::1")] }).client);
    expect(ready).toBe(false);
    expect(reason).toBe(
      "after 300 s the guest has no address on eth0; does a DHCP server answer on its bridge and VLAN?",
    );
  });

  it("asks after the network where the guest has none", async () => {
    const { reason } = await wait(pve({ interfaces: [{ result: [{ name: "lo" }] }] }).client, { static: true });
    expect(reason).toContain("the guest has no network interface");
  });
});

describe("what will not pass ends the wait at once", () => {
  it.each([
    [
      "Permission check failed (/vms/101, VM.GuestAgent.Audit)",
      403,
      /Permission check failed.*VM\.GuestAgent\.Audit on/,
    ],
    ["No QEMU guest agent configured", 500, /set `agent: true` for the template/],
    ["VM 101 is not running", 500, /^VM 101 was stopped while/],
    ["Configuration file 'nodes/pve1/qemu-server/101.conf' does not exist", 500, /not on node pve1 any more/],
    ["Agent error: The command guest-network-get-interfaces has been disabled for this instance", 500, /qemu-ga/],
    ["Parameter verification failed.", 400, /could not be asked: GET answered 400/],
  ])("%s", async (text, status, reason) => {
    const { client, asked } = pve({ interfaces: [silent, failed(text, status)] });
    const ended = await wait(client);
    expect(ended).toMatchObject({ ready: false, reason: expect.stringMatching(reason), seconds: 0.25 });
    expect(asked).toHaveLength(2);
  });

  it("an agent that is switched off, of which PVE says that it does not run", async () => {
    const ended = await wait(pve({ interfaces: [silent], agent: "enabled=0,type=virtio" }).client);
    expect(ended).toMatchObject({ ready: false, reason: expect.stringContaining("set `agent: true`"), seconds: 0 });
  });

  it("a mistake of ours is not taken for the guest's", async () => {
    const { client } = pve({ interfaces: [] });
    await expect(
      waitUntilReady(
        client,
        { node: "pve1", vmId: 101, name: "web-1" },
        { waitFor: "agent", timeoutSeconds: 300, static: false },
        { report: () => {} },
      ),
    ).rejects.toThrow(TypeError);
  });
});

describe("a clone is ready for cloud-init", () => {
  const forCloudInit = (status: Answer[], exec?: Answer[]) =>
    pve({ interfaces: [nics("10.0.0.21")], status, ...(exec && { exec }) });
  const waitFor = "cloud-init";

  it("when it has done all of its work", async () => {
    const running = cloudInit({ status: "running", stage: "modules-final" });
    const { client } = forCloudInit([
      { exited: 0 },
      running,
      { exited: 0 },
      cloudInit({ status: "not started" }),
      done,
    ]);
    expect(await wait(client, { waitFor })).toMatchObject({ ready: true, addresses: { eth0: ["10.0.0.21"] } });
    expect(said).toContainEqual(
      expect.stringMatching(/^web-1: waiting for cloud-init \(modules-final\), \d s of 300 s$/),
    );
  });

  it("when an old one says so in its own words", async () => {
    const usage = { exited: 1, exitcode: 2, "err-data": "cloud-init: error: unrecognized arguments: --format=json" };
    const text = { exited: 1, exitcode: 0, "out-data": "status: done\ntime: Mon\ndetail:\nDataSourceNoCloud" };
    const { client, asked } = pve({
      interfaces: [nics("10.0.0.21")],
      status: [usage, text],
      exec: [{ pid: 7 }, { pid: 8 }],
    });
    expect((await wait(client, { waitFor })).ready).toBe(true);
    expect(asked.filter(({ call }) => call === "exec").map(({ params }) => params.command)).toEqual([
      ["cloud-init", "status", "--format=json"],
      ["cloud-init", "status", "--long"],
    ]);
    expect(asked.at(-1)?.params).toEqual({ pid: 8 });
  });

  it("also if the guest restarts meanwhile, and its process with it", async () => {
    const lost = failed("Agent error: Invalid parameter 'pid'");
    expect((await wait(forCloudInit([lost, silent, done]).client, { waitFor })).ready).toBe(true);
  });

  it("is not ready when cloud-init had errors: they are told, and the addresses too", async () => {
    const report = { status: "error", errors: ["('scripts_user', RuntimeError('Runparts: 1 failures'))"] };
    expect(await wait(forCloudInit([cloudInit(report)]).client, { waitFor })).toMatchObject({
      ready: false,
      addresses: { eth0: ["10.0.0.21"] },
      reason: expect.stringContaining("cloud-init ended with errors: ('scripts_user', RuntimeError("),
      seconds: 0,
    });
  });

  it.each([
    ["cloud-init is disabled", [cloudInit({ status: "disabled", detail: "disabled by marker file" })], undefined],
    ["the guest has no cloud-init", [], [failed('Agent error: Failed to execute child process "cloud-init" (No such')]],
    ["VM.GuestAgent.Unrestricted", [], [failed("Permission check failed (/vms/101, VM.GuestAgent.Unrestricted)", 403)]],
    ["guest-exec", [], [failed("Agent error: Command guest-exec has been disabled")]],
  ])("is not ready at once: %s", async (reason, status, exec) => {
    const ended = await wait(forCloudInit(status, exec).client, { waitFor });
    expect(ended).toMatchObject({ ready: false, reason: expect.stringContaining(reason), seconds: 0 });
  });

  it.each([
    ["cloud-init is still at work", [cloudInit({ status: "running" })]],
    [
      "`cloud-init status --format=json` ended with 1: Traceback",
      [{ exited: 1, exitcode: 1, "err-data": "Traceback" }],
    ],
    ["its guest agent has stopped answering", [silent]],
  ])("is not ready when the time is over: %s", async (reason, status) => {
    const ended = await wait(forCloudInit(status).client, { waitFor, timeoutSeconds: 60 });
    expect(ended).toMatchObject({ ready: false, reason: expect.stringContaining(`after 60 s ${reason}`), seconds: 60 });
  });

  it("does not outlast its time though the command in the guest never ends", async () => {
    const ended = await wait(forCloudInit([{ exited: 0 }]).client, { waitFor, timeoutSeconds: 60 });
    expect(ended).toMatchObject({ ready: false, seconds: 60 });
  });
});
