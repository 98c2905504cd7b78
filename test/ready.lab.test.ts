import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Lab, startLab } from "../lab/lab.ts";
import { primaryAddress } from "../providers/clone/readiness/addresses.ts";
import { waitUntilReady } from "../providers/clone/readiness/ready.ts";
import { PveClient } from "../proxmox/client.ts";

/** Waiting for guests, against the lab, without the engine. */

let lab: Lab;
let folder: string;
let client: PveClient;
const said: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "golden-fleet-ready-"));
  lab = await startLab({ dir: join(folder, "lab"), timeScale: 0.01 });
  const [id = "", secret = ""] = lab.apiToken.split(/=(.*)/s);
  client = new PveClient(
    {
      endpoint: lab.endpoint,
      tls: { insecure: false, caFile: lab.caFile },
      login: { kind: "token", id, secret },
    },
    { pauseMs: 20 },
  );
});
afterAll(async () => {
  await client?.close();
  await lab?.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(async () => {
  await lab.control.clearFaults();
  await lab.control.deleteVm(9101);
  said.length = 0;
});

/** A guest that runs; its login may ask the agent everything. */
async function started(config: Record<string, string> = {}, privileges = ["VM.Audit", "VM.GuestAgent.Unrestricted"]) {
  await lab.control.addVm({
    vmid: 9101,
    status: "running",
    config: { agent: "1", net0: "virtio=BC:24:11:00:91:01,bridge=vmbr0", ipconfig0: "ip=10.0.0.21/24", ...config },
  });
  await lab.control.privileges("/vms/9101", privileges);
}

const agent = (answers: Record<string, unknown> = {}) => lab.control.guest(9101, { agent: answers });

/** Waits; time enough that only a wait that never ends needs it, unless the test is about its end. */
const wait = (change: Partial<Parameters<typeof waitUntilReady>[2]> = {}) =>
  waitUntilReady(
    client,
    { node: "pve1", vmId: 9101, name: "web-1" },
    { waitFor: "agent", timeoutSeconds: 60, static: false, ...change },
    { report: (text: string) => said.push(text.replace(/, .*/, "")) },
  );

const waitsFor = (what: string) => expect.poll(() => said).toContain(`web-1: waiting for ${what}`);
/** It has been looked for what the test is about, and in vain. */
const looked = (what: string) =>
  expect.poll(() => said.filter((text) => text === `web-1: waiting for ${what}`).length).toBeGreaterThan(2);

it("an agent that comes late is waited for, and tells the addresses", async () => {
  await started();
  await lab.control.guest(9101, { agentAfter: "never" });
  const waiting = wait();
  await looked("its guest agent");
  await lab.control.guest(9101, { agentAfter: 0 });
  const { ready, addresses = {} } = await waiting;
  expect({ ready, addresses }).toEqual({ ready: true, addresses: { eth0: ["10.0.0.21"] } });
  expect(primaryAddress(addresses, { ip: "10.0.0.21/24" })).toBe("10.0.0.21");
});

it("a DHCP server that comes late is waited for; a static address is not", async () => {
  await started({ ipconfig0: "ip=dhcp" });
  const eth0 = (...addresses: string[]) => ({
    interfaces: [{ name: "eth0", "ip-addresses": addresses.map((one) => ({ "ip-address": one })) }],
  });
  await agent(eth0("fe80::1"));
  expect((await wait({ static: true })).ready).toBe(true);
  const waiting = wait();
  await waitsFor("an address of eth0");
  await agent(eth0("fe80::1", "10.0.0.77"));
  expect(await waiting).toEqual({ ready: true, addresses: { eth0: ["10.0.0.77"] } });
});

it("cloud-init is waited for", async () => {
  await started();
  await lab.control.guest(9101, { agentAfter: 0, cloudInit: { seconds: 1e9 } });
  const waiting = wait({ waitFor: "cloud-init" });
  await looked("cloud-init");
  await lab.control.guest(9101, { cloudInit: { seconds: 0 } });
  expect(await waiting).toEqual({ ready: true, addresses: { eth0: ["10.0.0.21"] } });
});

it.each([
  [{ result: "error", errors: ["Failed to install packages: nginx"] }, "Failed to install packages: nginx"],
  [{ result: "degraded" }, "cloud-init ended with errors: degraded"],
  [{ result: "disabled" }, "cloud-init is disabled"],
  [{ missing: true }, "the guest has no cloud-init"],
] as const)("cloud-init that does not end well is told: %j", async (cloudInit, reason) => {
  await started();
  await lab.control.guest(9101, { agentAfter: 0, cloudInit: { seconds: 0, ...cloudInit } });
  expect(await wait({ waitFor: "cloud-init" })).toEqual({
    ready: false,
    addresses: { eth0: ["10.0.0.21"] },
    reason: expect.stringContaining(reason),
  });
});

it("a network that breaks off is waited for", async () => {
  await started();
  await agent();
  await lab.control.cut("GET", "/nodes/pve1/qemu/9101/agent/network-get-interfaces", "before", 3);
  expect((await wait()).ready).toBe(true);
  expect(said.filter((text) => text.includes("PVE's answer"))).toHaveLength(3);
});

it("an agent that never answers ends with the likely cause, when the time is over", async () => {
  await started();
  const { ready, reason } = await wait({ timeoutSeconds: 1 });
  expect(ready).toBe(false);
  expect(reason).toMatch(/^after 1 s its guest agent did not answer; is qemu-guest-agent in the image/);
});

it.each([true, "commands"] as const)("an agent that hangs does not outlast the time: %s", async (agentHangs) => {
  await lab.control.timeScale(1);
  await started();
  await lab.control.guest(9101, { agentAfter: 0, agentHangs });
  expect(await wait({ timeoutSeconds: 1 })).toEqual({ ready: false, reason: "after 1 s PVE did not answer" });
  await lab.control.timeScale(0.01);
});

it("a VM that is stopped meanwhile ends it", async () => {
  await started();
  const waiting = wait();
  await looked("its guest agent");
  await lab.control.power(9101, "stopped");
  expect(await waiting).toEqual({ ready: false, reason: expect.stringMatching(/^VM 9101 was stopped while/) });
});

it.each(["0", "enabled=0,type=virtio"])("a VM without the agent option ends it: %s", async (option) => {
  await started({ agent: option });
  expect((await wait()).reason).toContain("set `agent: true` for the template");
});

it("a login that may not ask the agent, or not run cloud-init, is told the privilege", async () => {
  await started({}, ["VM.Audit"]);
  await agent();
  expect((await wait()).reason).toContain("takes the privilege VM.GuestAgent.Audit on /vms/9101");
  await lab.control.privileges("/vms/9101", ["VM.GuestAgent.Audit"]);
  expect(await wait({ waitFor: "cloud-init" })).toEqual({
    ready: false,
    addresses: { eth0: ["10.0.0.21"] },
    reason: expect.stringContaining("(Permission check failed (/vms/9101, VM.GuestAgent.Unrestricted))"),
    cannotTell: true,
  });
});
